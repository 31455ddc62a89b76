import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { layerNorm } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 1.2e-7, backward 1.2e-7.
describeOp('layerNorm', opCases.layerNorm, { forward: 4e-7, backward: 4e-7 });

describe('layerNorm', () => {
  useBackend(CPU);
  checkLeaks();

  it('maps 1, 3 to -1, 1 under unit gamma and no eps', () => {
    const y = tf.tidy(() => layerNorm(tf.tensor1d([1, 3]), tf.ones([2]), tf.zeros([2]), 0));
    expect(Array.from(y.dataSync())).toEqual([-1, 1]);
    y.dispose();
  });

  it('refuses parameters of another width', () => {
    tf.tidy(() => {
      expectShapeError(
        () => layerNorm(tf.zeros([2, 3]), tf.zeros([2]), tf.zeros([3]), 1e-6),
        'layerNorm: gamma_C is float32 [2], expected float32 [3] (* is any size)',
      );
      expectShapeError(
        () => layerNorm(tf.zeros([2, 3]), tf.zeros([3]), tf.zeros([1, 3]), 1e-6),
        'layerNorm: beta_C is float32 [1, 3], expected float32 [3] (* is any size)',
      );
    });
  });
});
