import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { rmsNorm } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 8.1e-8, backward 1.4e-7.
describeOp('rmsNorm', opCases.rmsNorm, { forward: 3e-7, backward: 5e-7 });

describe('rmsNorm', () => {
  useBackend(CPU);
  checkLeaks();

  it('divides by the root mean square: 1, 7 becomes 1/5, 7/5', () => {
    const y = tf.tidy(() => rmsNorm(tf.tensor1d([1, 7]), tf.ones([2]), 0));
    // Measured: 3e-8, half a unit in the last place.
    expect(y.dataSync()[0]).toBeCloseTo(0.2, 6);
    expect(y.dataSync()[1]).toBeCloseTo(1.4, 6);
    y.dispose();
  });

  it('refuses a gamma of another width', () => {
    tf.tidy(() =>
      expectShapeError(
        () => rmsNorm(tf.zeros([2, 3]), tf.zeros([4]), 1e-6),
        'rmsNorm: gamma_C is float32 [4], expected float32 [3] (* is any size)',
      ),
    );
  });
});
