import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { useBackend } from '../support/backends.js';
import { randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { type AgreementCase, bools, describeAgreement, floats, given, ints } from './agreement.js';
import { NATIVE } from './native.js';

const transposes: [number[], number[]][] = [
  [
    [3, 5],
    [1, 0],
  ],
  [
    [33, 70],
    [1, 0],
  ],
  [
    [2, 17, 19],
    [0, 2, 1],
  ],
  [
    [2, 3, 4, 5],
    [0, 2, 1, 3],
  ],
  [
    [2, 3, 4, 5],
    [0, 1, 3, 2],
  ],
  [
    [2, 3, 4, 5],
    [3, 2, 1, 0],
  ],
  [
    [2, 3, 4, 5],
    [2, 3, 0, 1],
  ],
  [
    [2, 3, 4, 5],
    [1, 2, 3, 0],
  ],
  [
    [2, 1, 3],
    [1, 0, 2],
  ],
  [
    [2, 3, 2, 3, 2, 2],
    [5, 3, 1, 0, 2, 4],
  ],
  [
    [1, 4, 1, 5],
    [2, 3, 0, 1],
  ],
  [
    [0, 3],
    [1, 0],
  ],
  [
    [300, 200],
    [1, 0],
  ],
];

const slices: [number[], number[], number[]][] = [
  [[5], [1], [3]],
  [
    [4, 6],
    [1, 2],
    [2, 3],
  ],
  [
    [4, 6],
    [0, 0],
    [4, 6],
  ],
  [
    [4, 6],
    [2, 0],
    [1, 6],
  ],
  [
    [2, 3, 4],
    [0, 1, 0],
    [2, 1, 4],
  ],
  [
    [2, 3, 4],
    [1, 2, 3],
    [1, 1, 1],
  ],
  [
    [4, 6],
    [1, 2],
    [0, 3],
  ],
  [
    [2, 3, 2, 2, 2, 3],
    [1, 0, 1, 0, 1, 1],
    [1, 2, 1, 2, 1, 2],
  ],
];

describeAgreement('a permutation', 0, [
  ...transposes.map(
    ([shape, perm]): AgreementCase => ({
      name: `Transpose of [${shape}] by [${perm}]`,
      inputs: [floats(...shape)],
      op: (x) => tf.transpose(x, perm),
    }),
  ),
  { name: 'Transpose of int32', inputs: [ints(0, 9, 3, 4)], op: (x) => tf.transpose(x) },
  { name: 'Reverse of axes 0 and 2', inputs: [floats(2, 3, 4)], op: (x) => tf.reverse(x, [0, 2]) },
]);

describeAgreement('a view', 0, [
  { name: 'Reshape with -1', inputs: [floats(2, 6)], op: (x) => tf.reshape(x, [3, -1]) },
  {
    name: 'ExpandDims at each place',
    inputs: [floats(2, 3)],
    op: (x) => [0, 1, 2, -1].map((axis) => tf.expandDims(x, axis)),
  },
  { name: 'Identity', inputs: [bools(3)], op: (x) => tf.clone(x) },
]);

describeAgreement('a slice', 0, [
  ...slices.map(
    ([shape, begin, size]): AgreementCase => ({
      name: `Slice of [${shape}] from [${begin}], [${size}] long`,
      inputs: [floats(...shape)],
      op: (x) => tf.slice(x, begin, size),
    }),
  ),
  {
    name: 'StridedSlice forwards and backwards',
    inputs: [floats(7, 8)],
    op: (x) => tf.stridedSlice(x, [1, 7], [6, 0], [2, -3]),
  },
  {
    name: 'StridedSlice with a new axis',
    inputs: [floats(4, 5)],
    op: (x) => tf.stridedSlice(x, [0, 1, 0], [0, 3, 5], [1, 1, 2], 0, 0, 0, 1, 0),
  },
  { name: 'SplitV in equal parts', inputs: [floats(4, 6)], op: (x) => tf.split(x, 3, 1) },
  { name: 'SplitV in unequal parts', inputs: [floats(6, 2)], op: (x) => tf.split(x, [1, 2, 3], 0) },
  { name: 'Unpack along the middle', inputs: [floats(2, 3, 4)], op: (x) => tf.unstack(x, 1) },
]);

describeAgreement('a join', 0, [
  ...[0, 1, 2, -1].map(
    (axis): AgreementCase => ({
      name: `Concat of [2,3,4] twice along ${axis}`,
      inputs: [floats(2, 3, 4), floats(2, 3, 4)],
      op: (...x) => tf.concat(x, axis),
    }),
  ),
  {
    name: 'Concat of unequal lengths, one empty',
    inputs: [floats(2, 3), floats(2, 0), floats(2, 5)],
    op: (...x) => tf.concat(x, 1),
  },
  ...[0, 1, 2].map(
    (axis): AgreementCase => ({
      name: `Pack along ${axis}`,
      inputs: [floats(2, 3), floats(2, 3)],
      op: (...x) => tf.stack(x, axis),
    }),
  ),
  { name: 'Tile of each axis', inputs: [floats(2, 3, 2)], op: (x) => tf.tile(x, [2, 1, 3]) },
  { name: 'BroadcastTo', inputs: [floats(3, 1, 2)], op: (x) => tf.broadcastTo(x, [2, 3, 4, 2]) },
  {
    name: 'PadV2 with a value',
    inputs: [floats(2, 3)],
    op: (x) =>
      tf.pad(
        x,
        [
          [1, 2],
          [0, 1],
        ],
        7,
      ),
  },
  { name: 'PadV2 of int32', inputs: [ints(0, 9, 4)], op: (x) => tf.pad(x, [[2, 0]]) },
]);

describeAgreement('picking by index', 0, [
  {
    name: 'GatherV2 of rows',
    inputs: [floats(5, 3), given([4], [4, 0, 0, 2], 'int32')],
    op: (x, i) => tf.gather(x, i as tf.Tensor1D),
  },
  {
    name: 'GatherV2 of columns',
    inputs: [floats(2, 5, 3), given([2, 2], [4, 0, 1, 2], 'int32')],
    op: (x, i) => tf.gather(x, i as tf.Tensor1D, 1),
  },
  {
    name: 'GatherV2 with a batch axis',
    inputs: [floats(2, 5, 3), given([2, 2], [4, 0, 1, 2], 'int32')],
    op: (x, i) => tf.gather(x, i as tf.Tensor1D, 1, 1),
  },
  {
    name: 'GatherV2 of nothing',
    inputs: [floats(5, 3), given([0], [], 'int32')],
    op: (x, i) => tf.gather(x, i as tf.Tensor1D),
  },
  {
    name: 'OneHot',
    inputs: [given([2, 3], [0, 2, -1, 1, 5, 2], 'int32')],
    op: (i) => [tf.oneHot(i, 4), tf.oneHot(i, 4, 2, -1, 'float32')],
  },
  {
    name: 'Select by a condition of equal shape',
    inputs: [bools(3, 4), floats(3, 4), floats(3, 4)],
    op: (c, a, b) => tf.where(c, a, b),
  },
  {
    name: 'Select with broadcasting',
    inputs: [bools(3, 1), floats(1, 4), floats(3, 4)],
    op: (c, a, b) => tf.where(c, a, b),
  },
]);

// Measured: 5.6e-8 (the cpu backend adds in float64 before it stores).
describeAgreement('adding by index', 2e-7, [
  {
    name: 'ScatterNd of rows that repeat',
    inputs: [given([5, 1], [1, 3, 1, 0, 3], 'int32'), floats(5, 2)],
    op: (i, u) => tf.scatterND(i, u, [6, 2]),
  },
  {
    name: 'ScatterNd of single elements',
    inputs: [given([3, 2], [0, 1, 2, 0, 0, 1], 'int32'), floats(3)],
    op: (i, u) => tf.scatterND(i, u, [3, 2]),
  },
  {
    name: 'UnsortedSegmentSum',
    inputs: [floats(6, 3), given([6], [2, 0, 2, 1, 0, 2], 'int32')],
    op: (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 4),
  },
]);

// Two cases that TF.js's cpu backend gets wrong (4.22): it drops an axis too early, and repeats the first elements.
describe('native kernels', () => {
  useBackend(NATIVE);
  checkLeaks();

  it('StridedSlice honours begin, end and shrink masks together', () => {
    tf.tidy(() => {
      const x = toDevice(randomTensor('x', [4, 5, 6]));
      const got = tf.stridedSlice(x, [1, 2, 0], [3, 3, 5], [1, 1, 2], 1, 4, 0, 0, 2);
      const column = tf.reshape(tf.slice(x, [0, 2, 0], [3, 1, 6]), [3, 6]);
      expect(toHost(got)).toEqual(toHost(tf.gather(column, tf.tensor1d([0, 2, 4], 'int32'), 1)));
    });
  });

  it('Select by rows takes whole rows', () => {
    tf.tidy(() => {
      const condition = tf.tensor1d([1, 0, 1], 'bool');
      const t = tf.tensor2d([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      const e = tf.neg(t);
      const got = tf.engine().runKernel<tf.Tensor>('Select', { condition, t, e });
      expect([...got.dataSync()]).toEqual([1, 2, -3, -4, 5, 6]);
    });
  });

  it('GatherV2 and ScatterNd refuse an index out of range', () => {
    const x = tf.zeros([3, 2]);
    const indices = tf.tensor1d([0, 3], 'int32');
    expect(() => tf.gather(x, indices)).toThrow('native GatherV2: the index value 3 is not in [0, 2]');
    const at_21 = tf.tensor2d([[0], [3]], [2, 1], 'int32');
    const updates = tf.zeros([2, 2]);
    expect(() => tf.scatterND(at_21, updates, [3, 2])).toThrow(
      'native ScatterNd: got index [3] = row 3, expected less than 3',
    );
    tf.dispose([x, indices, at_21, updates]);
  });
});
