import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { attention } from '../../src/ops/index.js';
import { CPU, PORTABLE_BACKENDS, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 1.2e-7, backward 2.5e-7.
describeOp('attention', opCases.attention, { forward: 4e-7, backward: 8e-7 });

for (const backend of PORTABLE_BACKENDS) {
  describe(`attention on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    it('stays finite for scores of ten thousand', () => {
      tf.tidy(() => {
        const q = tf.fill([1, 1, 1, 1], 100);
        const k = tf.tensor4d([100, -100], [1, 2, 1, 1]);
        const v = tf.tensor4d([3, 5], [1, 2, 1, 1]);
        expect(Array.from(attention(q, k, v, { causal: false, scale: 0.05 }).dataSync())).toEqual([3]);
      });
    });

    it('gives zeros, and zero gradients, to a batch row whose keys are all hidden', () => {
      const inputs = ['q', 'k', 'v'].map((name) => toDevice(randomTensor(name, [1, 2, 1, 2])));
      const [dq, dk, dv] = tf.grads((q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => {
        const keyMask_BS = tf.zeros([1, 2], 'int32');
        const o = attention(q, k, v, { causal: false, keyMask_BS });
        expect(toHost(o).values).toEqual(new Float64Array(4));
        return o;
      })(inputs);
      for (const gradient of [dq, dk, dv]) {
        expect(gradient).toBeDefined();
        if (gradient !== undefined) expect(toHost(gradient).values.every((value) => value === 0)).toBe(true);
      }
      tf.dispose([inputs, dq, dk, dv]);
    });
  });
}

describe('attention refuses', () => {
  useBackend(CPU);
  checkLeaks();
  const zeros = (...shape: number[]) => tf.zeros(shape);
  const full = { causal: false };
  const refuse = (name: string, run: () => tf.Tensor, message: string) =>
    it(name, () => {
      tf.tidy(() => expectShapeError(run, message));
    });

  refuse(
    'heads that the groups do not divide',
    () => attention(zeros(1, 2, 3, 4), zeros(1, 2, 2, 4), zeros(1, 2, 2, 4), full),
    'attention: G of k_BSGD is 2, expected a divisor of the 3 query heads',
  );
  refuse(
    'keys of another width',
    () => attention(zeros(1, 2, 2, 4), zeros(1, 2, 2, 3), zeros(1, 2, 2, 3), full),
    'attention: k_BSGD is float32 [1, 2, 2, 3], expected float32 [1, *, *, 4] (* is any size)',
  );
  refuse(
    'values that do not match the keys',
    () => attention(zeros(1, 2, 2, 4), zeros(1, 3, 2, 4), zeros(1, 2, 2, 4), full),
    'attention: v_BSGD is float32 [1, 2, 2, 4], expected float32 [1, 3, 2, 4] (* is any size)',
  );
  refuse(
    'a query that is not of rank 4',
    () => attention(zeros(2, 2, 4), zeros(1, 2, 2, 4), zeros(1, 2, 2, 4), full),
    'attention: q_BTHD is float32 [2, 2, 4], expected float32 [*, *, *, *] (* is any size)',
  );
  refuse(
    'no key at all',
    () => attention(zeros(1, 2, 2, 4), zeros(1, 0, 2, 4), zeros(1, 0, 2, 4), full),
    'attention: S of k_BSGD is 0, expected at least 1',
  );
  refuse(
    'a mask in float32',
    () =>
      attention(zeros(1, 1, 1, 1), zeros(1, 2, 1, 1), zeros(1, 2, 1, 1), { causal: false, keyMask_BS: zeros(1, 2) }),
    'attention: keyMask_BS is float32 [1, 2], expected int32 [1, 2] (* is any size)',
  );
});
