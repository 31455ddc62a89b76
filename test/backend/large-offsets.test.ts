import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as ops from '../../src/ops/index.js';
import { checkLeaks } from '../support/leak-check.js';
import { NATIVE } from './native.js';

/** f32 [ROWS, 64] is 2.25 GiB, so that the last rows lie past 2^31 bytes; in bf16 [2 ROWS, 64]. */
const COLS = 64;
const PARTS = 1024;
const ROWS = PARTS * Math.ceil((2.25 * 2 ** 30) / 4 / COLS / PARTS);

function lastRow(x: tf.Tensor): number[] {
  return tf.tidy(() => [...tf.slice(x, [(x.shape[0] ?? 0) - 1, 0], [1, COLS]).dataSync()]);
}

/** Each test holds two such tensors at most; what it keeps is freed before the next. */
describe('kernels reach past 2^31 bytes', () => {
  beforeAll(() => tf.setBackend(NATIVE.name));
  // The pool keeps freed memory for reuse; here it would be gigabytes.
  afterAll(() => tf.removeBackend(NATIVE.name));

  describe('', () => {
    checkLeaks();

    it('in f32', () => {
      tf.tidy(() => {
        const x = tf.fill([ROWS, COLS], 3);
        expect(lastRow(x)).toEqual(Array(COLS).fill(3));
        const picked = ops.gatherRows(x, Int32Array.of(ROWS - 1, -1));
        expect([...picked.dataSync()]).toEqual([...Array(COLS).fill(3), ...Array(COLS).fill(0)]);
        tf.tidy(() => {
          expect(lastRow(ops.rmsNorm(x, tf.fill([COLS], 5), 0))).toEqual(Array(COLS).fill(5));
        });
        tf.tidy(() => {
          expect(lastRow(tf.add(x, 1))).toEqual(Array(COLS).fill(4));
        });
      });
    }, 120_000);

    it('in bf16', () => {
      tf.tidy(() => {
        const part = ops.stored(tf.fill([(2 * ROWS) / PARTS, COLS], 2), 'bf16');
        const x = tf.tile(part, [PARTS, 1]);
        tf.tidy(() => {
          expect(lastRow(ops.rmsNorm(x, tf.fill([COLS], 5), 0))).toEqual(Array(COLS).fill(5));
        });
        tf.tidy(() => {
          expect(lastRow(tf.mul(x, 4))).toEqual(Array(COLS).fill(8));
        });
        expect(tf.sum(x).dataSync()[0]).toBe(2 * 2 * ROWS * COLS);
      });
    }, 120_000);
  });
});
