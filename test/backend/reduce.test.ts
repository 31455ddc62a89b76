import * as tf from '@tensorflow/tfjs-core';
import { type AgreementCase, describeAgreement, floats, given, ints, whole } from './agreement.js';

/** Shapes and axes that lead through each path: all, last, first, middle, apart (a transpose first), none, empty, chunked. */
const EXTENTS: [number[], number[] | undefined][] = [
  [[], undefined],
  [[5], undefined],
  [[9001], undefined],
  [[3, 5], [1]],
  [[3, 5], [0]],
  [[2, 3, 5], [1]],
  [
    [2, 3, 5],
    [0, 1],
  ],
  [
    [2, 3, 5],
    [-1, 1],
  ],
  [
    [2, 3, 5],
    [0, 2],
  ],
  [
    [2, 1, 3, 1, 4],
    [0, 1, 3],
  ],
  [
    [2, 3, 4, 5],
    [1, 3],
  ],
  [[2, 3], []],
  [[1, 1], [0]],
  [[700, 3], [0]],
  [[2, 300, 70], [1]],
  [[40000, 1], [0]],
  [[0, 3], [0]],
  [[3, 0], [0]],
];

type Reduction = (x: tf.Tensor, axis?: number[], keepDims?: boolean) => tf.Tensor;

const over = (ops: [string, Reduction][], source = floats, extents = EXTENTS): AgreementCase[] =>
  ops.flatMap(([name, op]) =>
    extents.flatMap(([shape, axis]) =>
      [false, true].map((keepDims) => ({
        name: `${name} of [${shape}] over ${axis === undefined ? 'all' : `[${axis}]`}${keepDims ? ', axes kept' : ''}`,
        inputs: [source(...shape)],
        op: (x: tf.Tensor) => op(x, axis, keepDims),
      })),
    ),
  );

const FILLED = EXTENTS.filter(([shape]) => !shape.includes(0));

describeAgreement('a sum of whole numbers', 0, over([['Sum', tf.sum]], whole));
// Measured: 3.4e-6, of the cpu backend's plain loop over 300 elements.
describeAgreement(
  'a sum or mean',
  1e-5,
  over([
    ['Sum', tf.sum],
    ['Mean', tf.mean],
  ]),
);
describeAgreement(
  'an extreme',
  0,
  over(
    [
      ['Max', tf.max],
      ['Min', tf.min],
    ],
    floats,
    FILLED,
  ),
);
// Measured: 3.7e-8.
describeAgreement('a product', 1e-7, over([['Prod', tf.prod]], floats, FILLED));

describeAgreement('an integer reduction', 0, [
  {
    name: 'Sum, Max, Min, Prod of int32',
    inputs: [ints(-3, 4, 4, 5)],
    op: (x) => [tf.sum(x, 1), tf.max(x, 0), tf.min(x), tf.prod(x, 1)],
  },
  { name: 'Sum of bool', inputs: [given([4], [1, 0, 1, 1], 'bool')], op: (x) => tf.sum(x) },
  {
    name: 'Max with NaN',
    inputs: [given([2, 3], [1, Number.NaN, 3, 4, 5, 6])],
    op: (x) => [tf.max(x, 1), tf.min(x, 1)],
  },
]);

describeAgreement('an index of an extreme', 0, [
  ...[[7], [3, 5], [2, 4, 3]].flatMap((shape) =>
    shape.map((_, axis) => ({
      name: `ArgMax and ArgMin of [${shape}] over ${axis}`,
      inputs: [floats(...shape)],
      op: (x: tf.Tensor) => [tf.argMax(x, axis), tf.argMin(x, axis)],
    })),
  ),
  {
    name: 'ArgMax takes the first of equals',
    inputs: [given([2, 4], [1, 3, 3, 2, 5, 5, 5, 5])],
    op: (x) => tf.argMax(x, 1),
  },
  { name: 'ArgMax of int32', inputs: [ints(0, 99, 3, 9)], op: (x) => tf.argMax(x, 1) },
  { name: 'TopK of 5', inputs: [floats(4, 33)], op: (x) => Object.values(tf.topk(x, 5)) },
  { name: 'TopK of all', inputs: [floats(2, 6)], op: (x) => Object.values(tf.topk(x, 6)) },
  { name: 'TopK with equals', inputs: [given([6], [2, 1, 2, 3, 3, 2])], op: (x) => Object.values(tf.topk(x, 4)) },
]);

describeAgreement('a running sum', 0, [
  ...[[7], [3, 5], [2, 4, 3]].flatMap((shape) =>
    shape.flatMap((_, axis) =>
      [false, true].flatMap((exclusive) =>
        [false, true].map((reverse) => ({
          name: `Cumsum of [${shape}] along ${axis}${exclusive ? ', exclusive' : ''}${reverse ? ', reverse' : ''}`,
          inputs: [floats(...shape)],
          op: (x: tf.Tensor) => tf.cumsum(x, axis, exclusive, reverse),
        })),
      ),
    ),
  ),
  { name: 'Cumsum of int32', inputs: [ints(0, 9, 3, 9)], op: (x) => tf.cumsum(x, 1) },
]);

// Measured: 2.3e-8.
describeAgreement('softmax', 1e-7, [
  ...[[1], [5], [3, 17], [2, 3, 64], [300, 130]].map((shape) => ({
    name: `Softmax of [${shape}]`,
    inputs: [floats(...shape)],
    op: (x: tf.Tensor) => tf.softmax(x),
  })),
  {
    name: 'Softmax with hidden elements',
    inputs: [given([2, 3], [0, Number.NEGATIVE_INFINITY, 1, 2, 1000, -1000])],
    op: (x) => tf.softmax(x),
  },
]);
