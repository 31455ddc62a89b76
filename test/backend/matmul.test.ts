import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { useBackend } from '../support/backends.js';
import { at, randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { type AgreementCase, describeAgreement, floats, whole } from './agreement.js';
import { NATIVE } from './native.js';

/** Around every tile edge: rows 4 to 14, columns 4 to 34, depth 1 to 520 (two blocks of depth and a rest). */
const SIZES: [m: number, n: number, k: number][] = [
  [1, 1, 1],
  [1, 33, 5],
  [5, 1, 7],
  [2, 3, 4],
  [12, 32, 16],
  [13, 33, 17],
  [11, 31, 15],
  [24, 16, 1],
  [7, 48, 3],
  [17, 17, 24],
  [37, 65, 520],
  [250, 70, 30],
  [3, 1100, 9],
  [1, 200, 300],
  [300, 1, 200],
  [6, 150, 40],
  [0, 3, 4],
  [3, 4, 0],
];

const stored = (rows: number, cols: number, transposed: boolean) => (transposed ? [cols, rows] : [rows, cols]);

const plain: AgreementCase[] = SIZES.flatMap(([m, n, k]) =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      name: `[${m}, ${k}] x [${k}, ${n}]${transposeA ? ', A transposed' : ''}${transposeB ? ', B transposed' : ''}`,
      inputs: [whole(...stored(m, k, transposeA)), whole(...stored(k, n, transposeB))],
      op: (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, transposeA, transposeB),
    })),
  ),
);

const BATCHES: [number[], number[]][] = [
  [[3], [3]],
  [[3], [1]],
  [[1], [3]],
  [
    [2, 3],
    [2, 3],
  ],
  [
    [2, 3],
    [1, 1],
  ],
  [[0], [0]],
  [[70], [70]],
];

const batched: AgreementCase[] = BATCHES.flatMap(([batchA, batchB]) =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      name: `batches [${batchA}] and [${batchB}]${transposeA ? ', A transposed' : ''}${transposeB ? ', B transposed' : ''}`,
      inputs: [whole(...batchA, ...stored(9, 5, transposeA)), whole(...batchB, ...stored(5, 18, transposeB))],
      op: (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, transposeA, transposeB),
    })),
  ),
);

const fused = (source: typeof floats, activation: 'linear' | 'relu' | 'sigmoid'): AgreementCase[] =>
  [
    [5, 7, 33],
    [13, 300, 18],
  ].map(([m = 0, k = 0, n = 0]) => ({
    name: `_FusedMatMul of [${m}, ${k}] x [${k}, ${n}] with bias and ${activation}`,
    inputs: [source(m, k), source(k, n), source(n)],
    op: (a: tf.Tensor, b: tf.Tensor, bias: tf.Tensor) =>
      tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias, activation }),
  }));

describeAgreement('a matrix product of whole numbers', 0, [
  ...plain,
  ...batched,
  ...fused(whole, 'linear'),
  ...fused(whole, 'relu'),
]);
// Measured: 1.3e-6 (a sigmoid of a sum of 300 terms).
describeAgreement('a matrix product with bias and sigmoid', 4e-6, fused(floats, 'sigmoid'));

describe('matrix products on native', () => {
  useBackend(NATIVE);
  checkLeaks();

  it('broadcast batch axes in both directions at once', () => {
    tf.tidy(() => {
      const a = toDevice(randomTensor('a', [2, 1, 4, 5]));
      const b = toDevice(randomTensor('b', [1, 3, 5, 6]));
      const wanted = tf.matMul(tf.tile(a, [1, 3, 1, 1]), tf.tile(b, [2, 1, 1, 1]));
      expect(toHost(tf.matMul(a, b))).toEqual(toHost(wanted));
    });
  });

  // Measured, of the sum of the products' sizes: 2.3e-8 with 3 rows (dot products), 5.6e-8 with 40 (tiles).
  it.each([3, 40])('round no worse than a float32 sum of 2000 terms must, with %i rows', (rows) => {
    const [cols, depth] = [40, 2000];
    const a = randomTensor('a', [rows, depth]);
    const b = randomTensor('b', [depth, cols]);
    const product = tf.tidy(() => tf.matMul(toDevice(a), tf.transpose(toDevice(b)), false, true));
    const got = toHost(product);
    product.dispose();
    let worst = 0;
    for (let i = 0; i < rows * cols; i++) {
      let [want, size] = [0, 0];
      for (let k = 0; k < depth; k++) {
        const term = at(a.values, Math.floor(i / cols) * depth + k) * at(b.values, k * cols + (i % cols));
        want += term;
        size += Math.abs(term);
      }
      worst = Math.max(worst, Math.abs(at(got.values, i) - want) / size);
    }
    expect(worst).toBeLessThan(2e-7);
  });

  it('refuse inner sizes that differ, and integers', () => {
    const a = tf.zeros([2, 3]);
    const b = tf.zeros([4, 5]);
    const run = (x: tf.Tensor, y: tf.Tensor) => tf.engine().runKernel('BatchMatMul', { a: x, b: y }, {});
    expect(() => run(a, b)).toThrow('native matMul: got inner sizes 3 and 4 from [2,3] and [4,5], expected the same');
    const c = tf.zeros([3, 2], 'int32');
    expect(() => run(a, c)).toThrow('native matMul: got dtype int32, expected float32');
    tf.dispose([a, b, c]);
  });
});
