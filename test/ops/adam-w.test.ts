import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type AdamWOptions, adamW } from '../../src/ops/index.js';
import { CPU, PORTABLE_BACKENDS, useBackend } from '../support/backends.js';
import { expectClose } from '../support/close.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { hostTensor, randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { adamWReference } from '../support/op-references.js';

const OPTIONS: AdamWOptions = {
  lr: 0.1,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0.01,
  step: 1,
  gradScale: 0.5,
};

for (const backend of PORTABLE_BACKENDS) {
  describe(`adamW on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    it.each([[[7]], [[2, 3]], [[1]]])('follows the float64 update for 5 steps on shape %j', (shape) => {
      let host = [randomTensor('param', shape), hostTensor(shape), hostTensor(shape)] as const;
      let [param, m, v] = host.map(toDevice) as [tf.Tensor, tf.Tensor, tf.Tensor];
      for (let step = 1; step <= 5; step++) {
        const gradient = randomTensor(`gradient ${step}`, shape);
        const grad = toDevice(gradient);
        const options = { ...OPTIONS, step };
        const next = adamW({ param, grad, m, v }, options);
        tf.dispose([param, m, v, grad]);
        [param, m, v] = next;
        host = adamWReference(host[0], gradient, host[1], host[2], options);
      }
      // Measured: 8e-8 after five updates.
      for (const [i, tensor] of [param, m, v].entries()) expectClose(toHost(tensor), host[i] ?? host[0], 3e-7);
      tf.dispose([param, m, v]);
    });

    it('moves by lr against the sign of a first gradient, after decaying the weight', () => {
      tf.tidy(() => {
        const zero = tf.zeros([2]);
        const [param] = adamW({ param: tf.tensor1d([1, 1]), grad: tf.tensor1d([4, -4]), m: zero, v: zero }, OPTIONS);
        // 1 * (1 - 0.1 * 0.01) -+ 0.1; measured error 6e-8.
        expect(param.dataSync()[0]).toBeCloseTo(0.899, 6);
        expect(param.dataSync()[1]).toBeCloseTo(1.099, 6);
      });
    });

    it('leaves its inputs as they were', () => {
      const tensors = { param: tf.ones([2]), grad: tf.ones([2]), m: tf.ones([2]), v: tf.ones([2]) };
      tf.dispose(adamW(tensors, OPTIONS));
      for (const tensor of Object.values(tensors)) expect(Array.from(tensor.dataSync())).toEqual([1, 1]);
      tf.dispose(tensors);
    });
  });
}

describe('adamW refuses', () => {
  useBackend(CPU);
  checkLeaks();

  it('tensors of another shape and a step before the first', () => {
    tf.tidy(() => {
      const [param, short] = [tf.zeros([3]), tf.zeros([2])];
      expectShapeError(
        () => adamW({ param, grad: param, m: short, v: param }, OPTIONS),
        'adamW: m is float32 [2], expected float32 [3] (* is any size)',
      );
      expectShapeError(
        () => adamW({ param, grad: param, m: param, v: param }, { ...OPTIONS, step: 0 }),
        'adamW: step is 0, expected a count from 1',
      );
    });
  });
});
