import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { gatedFusion } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 8.3e-8, backward 1.4e-7.
describeOp('gatedFusion', opCases.gatedFusion, { forward: 3e-7, backward: 5e-7 });

describe('gatedFusion', () => {
  useBackend(CPU);
  checkLeaks();

  it('with zero weights and gain 2 passes tokens unchanged', () => {
    tf.tidy(() => {
      const zero = { wSelf_C: tf.zeros([2]), wOther_C: tf.zeros([2]), bias_1: tf.zeros([1]) };
      const y = gatedFusion(tf.tensor3d([1.5, -2, 3, 4], [1, 2, 2]), tf.ones([1, 2]), zero, 2);
      expect(Array.from(y.dataSync())).toEqual([1.5, -2, 3, 4]);
    });
  });

  it('refuses a mean of another batch and weights of another width', () => {
    tf.tidy(() => {
      const gate = { wSelf_C: tf.zeros([3]), wOther_C: tf.zeros([2]), bias_1: tf.zeros([1]) };
      expectShapeError(
        () => gatedFusion(tf.zeros([2, 4, 3]), tf.zeros([1, 3]), gate, 1),
        'gatedFusion: otherMean_BC is float32 [1, 3], expected float32 [2, 3] (* is any size)',
      );
      expectShapeError(
        () => gatedFusion(tf.zeros([1, 4, 3]), tf.zeros([1, 3]), gate, 1),
        'gatedFusion: wOther_C is float32 [2], expected float32 [3] (* is any size)',
      );
    });
  });
});
