import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { addResidual } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';

describe('addResidual', () => {
  useBackend(CPU);
  checkLeaks();

  it("gives tf.add's value and gradients bit for bit", () => {
    tf.tidy(() => {
      const [x, update, dy] = [1, 2, 3].map((seed) => tf.randomNormal([2, 3, 5], 0, 1, 'float32', seed));
      if (x === undefined || update === undefined || dy === undefined) throw new Error('three tensors');
      const twin = tf.valueAndGrads((a, b) => tf.add(a, tf.mul(b, a)))([x, update], dy);
      const ours = tf.valueAndGrads((a, b) => addResidual(a, tf.mul(b, a)))([x, update], dy);
      expect(ours.value.dataSync()).toEqual(twin.value.dataSync());
      expect(ours.grads.map((grad) => grad.dataSync())).toEqual(twin.grads.map((grad) => grad.dataSync()));
    });
  });

  it('refuses shapes that differ', () => {
    tf.tidy(() =>
      expectShapeError(
        () => addResidual(tf.zeros([2, 3]), tf.zeros([1, 3])),
        'addResidual: update is float32 [1, 3], expected float32 [2, 3] (* is any size)',
      ),
    );
  });
});
