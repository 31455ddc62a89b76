import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { frozenLinear, linear } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 1.2e-7, backward 1.3e-7.
describeOp('linear', opCases.linear, { forward: 4e-7, backward: 4e-7 });

describe('linear refuses', () => {
  useBackend(CPU);
  checkLeaks();
  const refuse = (name: string, run: () => tf.Tensor, message: string) =>
    it(name, () => {
      tf.tidy(() => expectShapeError(run, message));
    });

  refuse(
    'a weight of another input size',
    () => linear(tf.zeros([5, 3]), tf.zeros([2, 4])),
    'linear: weight_OI is float32 [2, 4], expected float32 [*, 3] (* is any size)',
  );
  refuse(
    'a bias of another output size',
    () => linear(tf.zeros([5, 3]), tf.zeros([2, 3]), tf.zeros([3])),
    'linear: bias_O is float32 [3], expected float32 [2] (* is any size)',
  );
  refuse(
    'a scalar',
    () => linear(tf.scalar(1), tf.zeros([2, 3])),
    'linear: x is float32 [], expected float32 [..., channels]',
  );
  refuse(
    'integers',
    () => linear(tf.zeros([2, 3], 'int32'), tf.zeros([2, 3])),
    'linear: x is int32 [2, 3], expected float32 [..., channels]',
  );
});

describe('frozenLinear', () => {
  useBackend(CPU);
  checkLeaks();

  it('gives the value and the gradient of x that linear gives, bit for bit', () => {
    tf.tidy(() => {
      const x = tf.randomNormal([2, 3, 5], 0, 1, 'float32', 1);
      const weight = tf.randomNormal([4, 5], 0, 1, 'float32', 2);
      const dy = tf.randomNormal([2, 3, 4], 0, 1, 'float32', 3);
      const twin = tf.valueAndGrad((z) => linear(z, weight))(x, dy);
      const ours = tf.valueAndGrad((z) => frozenLinear(z, weight))(x, dy);
      expect(ours.value.dataSync()).toEqual(twin.value.dataSync());
      expect(ours.grad.dataSync()).toEqual(twin.grad.dataSync());
    });
  });
});
