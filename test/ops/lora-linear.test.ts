import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { linear, loraLinear } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 2.0e-7, backward 7.2e-7 (sums over three chained products).
describeOp('loraLinear', opCases.loraLinear, { forward: 8e-7, backward: 2e-6 });

describe('loraLinear', () => {
  useBackend(CPU);
  checkLeaks();

  it('is the plain linear map while the up projection is zero', () => {
    tf.tidy(() => {
      const x = toDevice(randomTensor('x', [3, 4]));
      const weight = toDevice(randomTensor('weight', [2, 4]));
      const a_RI = toDevice(randomTensor('a', [1, 4]));
      const adapted = loraLinear(x, weight, { a_RI, b_OR: tf.zeros([2, 1]), scale: 2 });
      expect(toHost(adapted)).toEqual(toHost(linear(x, weight)));
    });
  });

  it('refuses projections that do not meet', () => {
    tf.tidy(() => {
      const lora = { a_RI: tf.zeros([2, 4]), b_OR: tf.zeros([3, 1]), scale: 1 };
      expectShapeError(
        () => loraLinear(tf.zeros([1, 4]), tf.zeros([3, 4]), lora),
        'loraLinear: b_OR is float32 [3, 1], expected float32 [3, 2] (* is any size)',
      );
      expectShapeError(
        () => loraLinear(tf.zeros([1, 5]), tf.zeros([3, 5]), lora),
        'loraLinear: a_RI is float32 [2, 4], expected float32 [*, 5] (* is any size)',
      );
    });
  });
});
