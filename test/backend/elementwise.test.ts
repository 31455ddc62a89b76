import * as tf from '@tensorflow/tfjs-core';
import {
  type AgreementCase,
  bools,
  describeAgreement,
  floats,
  given,
  ints,
  positive,
  type Source,
} from './agreement.js';

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const SPECIAL = given([8], [0, -0, 1e-30, -1e30, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 88.7]);
/** None, one, fewer than a vector, several vectors with a rest, more than one thread takes. */
const SIZES = [[0], [1], [7], [3, 37], [300001]];

const unaryOps: [string, Unary, (...shape: number[]) => Source][] = [
  ['Neg', tf.neg, floats],
  ['Abs', tf.abs, floats],
  ['Exp', tf.exp, floats],
  ['Log', tf.log, positive],
  ['Sqrt', tf.sqrt, positive],
  ['Rsqrt', tf.rsqrt, positive],
  ['Reciprocal', tf.reciprocal, positive],
  ['Square', tf.square, floats],
  ['Sigmoid', tf.sigmoid, floats],
  ['Tanh', tf.tanh, floats],
  ['Relu', tf.relu, floats],
  ['Erf', tf.erf, floats],
  ['Floor', tf.floor, floats],
  ['Sign', tf.sign, floats],
  ['Sin', tf.sin, floats],
  ['Cos', tf.cos, floats],
  ['Step', (x) => tf.step(x, 0.5), floats],
  ['IsNan', tf.isNaN, floats],
  ['IsFinite', tf.isFinite, floats],
];

const unaryCases: AgreementCase[] = unaryOps.flatMap(([name, op, source]) => [
  ...SIZES.map((shape) => ({ name: `${name} of [${shape}]`, inputs: [source(...shape)], op })),
  { name: `${name} of special values`, inputs: [SPECIAL], op },
]);

/** Shapes that lead through every path: equal, scalar, row, column, outer product, middle axis, alternating axes, empty. */
const BROADCASTS: [number[], number[]][] = [
  [[5], [5]],
  [
    [140000, 2],
    [140000, 2],
  ],
  [[], []],
  [[3, 5], []],
  [[], [3, 5]],
  [[1, 1], [4]],
  [[4], [1, 1]],
  [[7, 33], [33]],
  [[33], [7, 33]],
  [
    [7, 33],
    [7, 1],
  ],
  [
    [7, 1],
    [1, 33],
  ],
  [[2100, 130], [130]],
  [
    [2, 3, 17],
    [2, 1, 17],
  ],
  [
    [2, 1, 4, 1, 3],
    [5, 1, 2, 1],
  ],
  [
    [2, 3, 1, 2, 1, 5],
    [1, 3, 2, 1, 3, 1],
  ],
  [[0, 4], [4]],
  [
    [3, 0],
    [3, 1],
  ],
];

const binaryOps: [string, Binary, (...shape: number[]) => Source, (...shape: number[]) => Source][] = [
  ['Add', tf.add, floats, floats],
  ['Sub', tf.sub, floats, floats],
  ['Multiply', tf.mul, floats, floats],
  ['RealDiv', tf.div, floats, positive],
  ['Maximum', tf.maximum, floats, floats],
  ['Minimum', tf.minimum, floats, floats],
  ['SquaredDifference', tf.squaredDifference, floats, floats],
  ['Pow', tf.pow, positive, floats],
];

const dozen =
  (low: number, high: number) =>
  (...shape: number[]) =>
    ints(low, high, ...shape);
const intOps: [string, Binary, (...shape: number[]) => Source, (...shape: number[]) => Source][] = [
  ['Add of int32', tf.add, dozen(-9, 9), dozen(-9, 9)],
  ['Sub of int32', tf.sub, dozen(-9, 9), dozen(-9, 9)],
  ['Multiply of int32', tf.mul, dozen(-9, 9), dozen(-9, 9)],
  ['Maximum of int32', tf.maximum, dozen(-9, 9), dozen(-9, 9)],
  ['Minimum of int32', tf.minimum, dozen(-9, 9), dozen(-9, 9)],
  ['FloorDiv of int32', tf.floorDiv, dozen(-9, 9), dozen(1, 5)],
  ['Mod of int32', tf.mod, dozen(-9, 9), dozen(1, 5)],
  ['Pow of int32', tf.pow, dozen(-9, 9), dozen(0, 5)],
  ['Equal', tf.equal, dozen(0, 3), dozen(0, 3)],
  ['NotEqual', tf.notEqual, dozen(0, 3), dozen(0, 3)],
  ['Greater', tf.greater, dozen(0, 3), dozen(0, 3)],
  ['GreaterEqual', tf.greaterEqual, dozen(0, 3), dozen(0, 3)],
  ['Less', tf.less, dozen(0, 3), dozen(0, 3)],
  ['LessEqual', tf.lessEqual, dozen(0, 3), dozen(0, 3)],
  ['LogicalAnd', tf.logicalAnd, bools, bools],
  ['LogicalOr', tf.logicalOr, bools, bools],
  ['Greater of float32', tf.greater, floats, floats],
  ['LessEqual of float32', tf.lessEqual, floats, floats],
];

const overShapes = (ops: typeof binaryOps): AgreementCase[] =>
  ops.flatMap(([name, op, sourceA, sourceB]) =>
    BROADCASTS.map(([a, b]) => ({
      name: `${name} of [${a}] and [${b}]`,
      inputs: [sourceA(...a), sourceB(...b)],
      op: (p: tf.Tensor, q: tf.Tensor) => op(p, q),
    })),
  );

// Measured: 1.4e-7 (erf).
describeAgreement('a map of each element', 5e-7, unaryCases);
// Measured: 2.2e-7 (squared difference; the cpu backend works in float64 until it stores).
describeAgreement('float arithmetic', 5e-7, overShapes(binaryOps));
describeAgreement('integer arithmetic and comparison', 0, overShapes(intOps));
describeAgreement('arithmetic with special values', 0, [
  ...binaryOps.slice(0, 6).map(([name, op]) => ({
    name: `${name} with NaN and infinities`,
    inputs: [SPECIAL, given([8, 1], SPECIAL.values)],
    op: (p: tf.Tensor, q: tf.Tensor) => op(p, q),
  })),
]);
describeAgreement('conversion', 0, [
  ...(['float32', 'int32', 'bool'] as const).flatMap((dtype) => [
    {
      name: `float32 to ${dtype}`,
      inputs: [given([5], [-2.7, -0.5, 0, 0.5, 2.7])],
      op: (x: tf.Tensor) => tf.cast(x, dtype),
    },
    { name: `int32 to ${dtype}`, inputs: [given([3], [-2, 0, 3], 'int32')], op: (x: tf.Tensor) => tf.cast(x, dtype) },
    { name: `bool to ${dtype}`, inputs: [bools(9)], op: (x: tf.Tensor) => tf.cast(x, dtype) },
    {
      name: `zeros and ones like ${dtype}`,
      inputs: [given([2, 2], [1, 0, 0, 1], dtype)],
      op: (x: tf.Tensor) => [tf.zerosLike(x), tf.onesLike(x)],
    },
  ]),
  { name: 'LogicalNot', inputs: [bools(17)], op: (x) => tf.logicalNot(x) },
  {
    name: 'Neg, Abs, Square and Relu of int32',
    inputs: [ints(-5, 5, 19)],
    op: (x) => [tf.neg(x), tf.abs(x), tf.square(x), tf.relu(x)],
  },
  { name: 'Fill', inputs: [], op: () => [tf.fill([2, 3], 1.5), tf.fill([3], 2, 'int32'), tf.fill([0], 1)] },
  {
    name: 'Range up, down, by fractions, empty',
    inputs: [],
    op: () => [tf.range(0, 5), tf.range(5, 0), tf.range(0, 1, 0.25), tf.range(3, 3), tf.range(9, 1, -3, 'int32')],
  },
  {
    name: 'AddN of three',
    inputs: [given([3], [1, 2, 3]), given([3], [4, 5, 6]), given([3], [7, 8, 9])],
    op: (...x) => tf.addN(x),
  },
  { name: 'AddN of one', inputs: [floats(3)], op: (...x) => tf.addN(x) },
]);
