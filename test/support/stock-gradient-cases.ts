/** Calls that lead through each stock kernel with a registered gradient, under the broadcasts and axes in use. */
import * as tf from '@tensorflow/tfjs-core';
import { type HostTensor, hostTensor, randomTensor, sizeOf } from './host-tensor.js';

export interface StockGradientCase {
  /** Kernel that the call runs. */
  readonly kernel: string;
  readonly name: string;
  readonly inputs: readonly HostTensor[];
  readonly op: (...inputs: tf.Tensor[]) => tf.Tensor;
  /** Of the finite differences. */
  readonly step: number;
}

/** For curved kernels: the error of a difference in float32 is least near here. */
const SMOOTH = 2 ** -7;
/** A difference of a linear kernel is exact, and a wide one drowns rounding. */
const WIDE = 1;

/** Values on a grid that the steps keep exact in float32. */
function grid(label: string, shape: readonly number[], scale = 1): HostTensor {
  const { values } = randomTensor(label, shape, scale);
  return hostTensor(
    shape,
    values.map((value) => Math.round(value * 1024) / 1024),
  );
}

/** At least 1: the third derivatives of roots and quotients, and with them the error of a difference, stay small. */
const positive = (label: string, shape: readonly number[]): HostTensor =>
  hostTensor(
    shape,
    grid(label, shape).values.map((value) => Math.abs(value) + 1),
  );

/** Up to 11 values 1/2 apart and 1/4 from zero, in an order without pattern: no step crosses a kink or a tie. */
const apart = (shape: readonly number[]): HostTensor =>
  hostTensor(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => (((i * 7) % 11) - 5) / 2 + 0.25),
  );

function shifted({ shape, values }: HostTensor, offset: number): HostTensor {
  return hostTensor(
    shape,
    values.map((value) => value + offset),
  );
}

/** First minus second, so that the order of the parts matters. */
function difference([first, second]: tf.Tensor[]): tf.Tensor {
  if (first === undefined || second === undefined) throw new RangeError('difference: expected two parts');
  return tf.sub(first, second);
}

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const smoothUnary: [string, Unary, HostTensor][] = [
  ['Exp', tf.exp, grid('exp', [2, 3])],
  ['Log', tf.log, positive('log', [5])],
  ['Sqrt', tf.sqrt, positive('sqrt', [5])],
  ['Rsqrt', tf.rsqrt, positive('rsqrt', [5])],
  ['Square', tf.square, grid('square', [3, 1])],
  ['Sigmoid', tf.sigmoid, grid('sigmoid', [7], 2)],
  ['Tanh', tf.tanh, grid('tanh', [7])],
  ['Erf', tf.erf, grid('erf', [7])],
  ['Abs', tf.abs, apart([9])],
  ['Relu', tf.relu, apart([9])],
  ['Softmax', (x) => tf.softmax(x), grid('softmax', [2, 2, 5], 2)],
  ['Max', (x) => tf.max(x), apart([9])],
  ['Max', (x) => tf.max(x, 1), apart([2, 3, 2])],
  ['Max', (x) => tf.max(x, [0, -1], true), apart([3, 1, 3])],
];

const linearUnary: [string, Unary, HostTensor][] = [
  ['Identity', (x) => tf.clone(x), grid('identity', [2, 3])],
  ['Cast', (x) => tf.cast(x, 'float32'), grid('cast', [3])],
  ['Neg', tf.neg, grid('neg', [3])],
  ['Reshape', (x) => tf.reshape(x, [3, -1]), grid('reshape', [2, 3, 2])],
  ['ExpandDims', (x) => tf.expandDims(x, -1), grid('expand', [2, 3])],
  ['Transpose', (x) => tf.transpose(x), grid('transpose', [2, 3])],
  ['Transpose', (x) => tf.transpose(x, [2, 0, 3, 1]), grid('transpose 4', [2, 3, 1, 4])],
  ['Sum', (x) => tf.sum(x), grid('sum', [2, 3])],
  ['Sum', (x) => tf.sum(x, -1), grid('sum last', [2, 3])],
  ['Sum', (x) => tf.sum(x, [0, 2], true), grid('sum kept', [2, 3, 2])],
  ['Mean', (x) => tf.mean(x), grid('mean', [2, 3])],
  ['Mean', (x) => tf.mean(x, [1]), grid('mean middle', [2, 3, 2])],
  ['Mean', (x) => tf.mean(x, [-1, 0], true), grid('mean kept', [2, 3, 2])],
  ['Slice', (x) => tf.slice(x, [1, 0, 2], [1, -1, 2]), grid('slice', [3, 2, 5])],
  ['Slice', (x) => tf.slice(x, 2), grid('slice from', [4, 2])],
  [
    'PadV2',
    (x) =>
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        3,
      ),
    grid('pad', [2, 3]),
  ],
  ['Tile', (x) => tf.tile(x, [2, 1, 3]), grid('tile', [2, 3, 2])],
  ['Tile', (x) => tf.tile(x, [1]), grid('tile once', [2])],
  ['Tile', (x) => tf.broadcastTo(x, [4, 2, 3]), grid('broadcast by tile', [1, 3])],
  ['SplitV', (x) => difference(tf.split(x, 2, 1)), grid('split', [2, 4])],
  ['SplitV', (x) => tf.split(x, [1, 2, 1], -1)[1] ?? x, grid('split, one part used', [2, 4])],
  ['Unpack', (x) => difference(tf.unstack(x, 1)), grid('unstack', [3, 2])],
  ['Unpack', (x) => difference(tf.unstack(x, -2)), grid('unstack inner', [3, 2, 2])],
  ['GatherV2', (x) => tf.gather(x, tf.tensor1d([2, 0, 2], 'int32')), grid('gather', [3, 2])],
  [
    'GatherV2',
    (x) =>
      tf.gather(
        x,
        tf.tensor2d(
          [
            [1, 1],
            [0, 1],
          ],
          [2, 2],
          'int32',
        ),
        1,
      ),
    grid('gather 1', [2, 3, 2]),
  ],
  ['GatherV2', (x) => tf.gather(x, tf.tensor1d([3], 'int32'), -1), grid('gather last', [2, 4])],
];

/** Operand shapes that broadcast nowhere, within, and in both directions. */
const BROADCASTS: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], []],
  [[3], [2, 3]],
  [
    [2, 1, 3],
    [4, 1],
  ],
];

const smoothBinary: [string, Binary][] = [
  ['Multiply', tf.mul],
  ['RealDiv', tf.div],
  ['Pow', tf.pow],
];

const linearBinary: [string, Binary][] = [
  ['Add', tf.add],
  ['Sub', tf.sub],
];

const kinkedBinary: [string, Binary][] = [
  ['Maximum', tf.maximum],
  ['Minimum', tf.minimum],
];

const matMulCases: [number[], number[]][] = [
  [
    [2, 3],
    [3, 4],
  ],
  [
    [2, 2, 3],
    [2, 3, 1],
  ],
  [
    [2, 3],
    [2, 3, 2],
  ],
  [
    [3, 1, 2],
    [1, 2, 2],
  ],
  [
    [2, 1, 2, 3],
    [2, 1, 3, 2],
  ],
];

const swapLast = (shape: readonly number[]): number[] => [...shape.slice(0, -2), ...shape.slice(-2).reverse()];

const matMuls: StockGradientCase[] = matMulCases.flatMap(([a, b]) =>
  [0, 1, 2, 3].map((flags) => {
    const [transposeA, transposeB] = [(flags & 1) === 1, (flags & 2) === 2];
    return {
      kernel: 'BatchMatMul',
      name: `[${a}] [${b}], transposed ${transposeA} ${transposeB}`,
      inputs: [grid('left', transposeA ? swapLast(a) : a), grid('right', transposeB ? swapLast(b) : b)],
      op: (left: tf.Tensor, right: tf.Tensor) => tf.matMul(left, right, transposeA, transposeB),
      step: WIDE,
    };
  }),
);

const several: StockGradientCase[] = [
  { kernel: 'AddN', name: 'three terms', shapes: [[2], [2], [2]], op: (...terms: tf.Tensor[]) => tf.addN(terms) },
  {
    kernel: 'Concat',
    name: 'axis 0',
    shapes: [
      [2, 3],
      [1, 3],
    ],
    op: (...parts: tf.Tensor[]) => tf.concat(parts),
  },
  {
    kernel: 'Concat',
    name: 'last axis, three parts',
    shapes: [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    op: (...parts: tf.Tensor[]) => tf.concat(parts, -1),
  },
  { kernel: 'Pack', name: 'axis 0', shapes: [[2], [2], [2]], op: (...parts: tf.Tensor[]) => tf.stack(parts) },
  {
    kernel: 'Pack',
    name: 'axis 1',
    shapes: [
      [2, 3],
      [2, 3],
    ],
    op: (...parts: tf.Tensor[]) => tf.stack(parts, 1),
  },
  {
    kernel: 'Select',
    name: 'by element',
    shapes: [[3], [3]],
    op: (...[t, e]: tf.Tensor[]) => tf.where(tf.tensor1d([1, 0, 1], 'bool'), t ?? tf.scalar(0), e ?? tf.scalar(0)),
  },
].map(({ shapes, ...rest }) => ({
  ...rest,
  inputs: shapes.map((shape, i) => grid(`input ${i}`, shape)),
  step: WIDE,
}));

const unary =
  (step: number) =>
  ([kernel, op, input]: [string, Unary, HostTensor]): StockGradientCase => ({
    kernel,
    name: `[${input.shape}]`,
    inputs: [input],
    op,
    step,
  });

const binary =
  (step: number, make: (label: string, shape: readonly number[]) => HostTensor) =>
  ([kernel, op]: [string, Binary]): StockGradientCase[] =>
    BROADCASTS.map(([a, b]) => ({ kernel, name: `[${a}] and [${b}]`, inputs: [make('a', a), make('b', b)], op, step }));

export const stockGradientCases: readonly StockGradientCase[] = [
  ...smoothUnary.map(unary(SMOOTH)),
  ...linearUnary.map(unary(WIDE)),
  ...smoothBinary.flatMap(binary(SMOOTH, positive)),
  ...linearBinary.flatMap(binary(WIDE, grid)),
  // An offset of 1/8 between operands on a grid of 1/2 leaves every pair further apart than the step.
  ...kinkedBinary.flatMap(binary(SMOOTH, (label, shape) => shifted(apart(shape), label === 'a' ? 0 : 0.125))),
  ...matMuls,
  ...several,
];

/** Whether the call is linear in each input, so that its differences are exact. */
export const isLinearCase = ({ step }: StockGradientCase): boolean => step === WIDE;
