import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { globalNorm } from '../../src/ops/index.js';
import { PORTABLE_BACKENDS, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';

for (const backend of PORTABLE_BACKENDS) {
  describe(`globalNorm on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    it('takes tensors of any shape as one vector: 3 and 4 give 5', () => {
      const tensors = [tf.tensor2d([[3]]), tf.scalar(-4), tf.zeros([2, 2])];
      expect(globalNorm(tensors)).toBe(5);
      tf.dispose(tensors);
    });

    it('adds the sums of tensors in float64', () => {
      // 2^24 + 1 is not a float32: a sum in float32 would lose the 1.
      const tensors = [tf.scalar(4096), tf.scalar(1)];
      expect(globalNorm(tensors)).toBe(Math.sqrt(2 ** 24 + 1));
      tf.dispose(tensors);
    });

    it('of nothing is 0', () => {
      expect(globalNorm([])).toBe(0);
    });

    it('shows a gradient that is not finite', () => {
      const tensors = [tf.tensor1d([1, Number.NaN])];
      expect(globalNorm(tensors)).toBeNaN();
      tf.dispose(tensors);
    });
  });
}
