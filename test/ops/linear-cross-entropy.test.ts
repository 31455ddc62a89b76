import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { linearCrossEntropy } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 7.8e-8, backward 6.1e-8.
describeOp('linearCrossEntropy', opCases.linearCrossEntropy, { forward: 3e-7, backward: 2e-7 });

const loss = (hidden: number[], weight: number[], labels: number[], labelSmoothing = 0): number[] =>
  tf.tidy(() => {
    const hidden_NC = tf.tensor2d(hidden, [hidden.length, 1]);
    const weight_VC = tf.tensor2d(weight, [weight.length, 1]);
    return Array.from(linearCrossEntropy(hidden_NC, weight_VC, Int32Array.from(labels), { labelSmoothing }).dataSync());
  });

describe('linearCrossEntropy', () => {
  useBackend(CPU);
  checkLeaks();

  it('is log V for equal logits, whatever the smoothing', () => {
    // Measured: 2e-8.
    for (const smoothing of [0, 0.1, 1]) expect(loss([0], [1, 2, 3, 4], [2], smoothing)[0]).toBeCloseTo(Math.log(4), 6);
  });

  it('stays finite for logits of a thousand', () => {
    const [certain, wrong] = loss([1, 1], [1000, -1000], [0, 1]);
    expect(certain).toBeCloseTo(0, 10);
    expect(wrong).toBe(2000);
  });

  it('refuses labels, sizes and smoothing out of range', () => {
    tf.tidy(() => {
      const [hidden, weight] = [tf.zeros([2, 3]), tf.zeros([5, 3])];
      const call = (labels: number[], labelSmoothing = 0) =>
        linearCrossEntropy(hidden, weight, Int32Array.from(labels), { labelSmoothing });
      expectShapeError(() => call([0, 5]), 'linearCrossEntropy: labels[1] is 5, expected -100 or an index from 0 to 4');
      expectShapeError(() => call([0]), 'linearCrossEntropy: the length of labels is 1, expected 2');
      expectShapeError(
        () => call([0, 1], 1.5),
        'linearCrossEntropy: labelSmoothing is 1.5, expected a number from 0 to 1',
      );
      expectShapeError(
        () => linearCrossEntropy(hidden, tf.zeros([5, 2]), Int32Array.of(0, 0), { labelSmoothing: 0 }),
        'linearCrossEntropy: weight_VC is float32 [5, 2], expected float32 [*, 3] (* is any size)',
      );
    });
  });
});
