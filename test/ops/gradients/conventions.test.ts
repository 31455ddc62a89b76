import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import '../../../src/ops/index.js';
import { CPU, useBackend } from '../../support/backends.js';
import { expectClose } from '../../support/close.js';
import { randomTensor, toDevice, toHost } from '../../support/host-tensor.js';
import { checkLeaks } from '../../support/leak-check.js';
import { GRADIENT_KERNELS } from '../../support/stock-kernels.js';

const gradientOf = (f: (x: tf.Tensor) => tf.Tensor, values: number[]): number[] =>
  tf.tidy(() => Array.from(tf.grad(f)(tf.tensor1d(values)).dataSync()));

describe('stock gradients', () => {
  useBackend(CPU);
  checkLeaks();

  it.each(GRADIENT_KERNELS)('are registered for %s', (kernel) => {
    // getGradient is typed as always found.
    const config: tf.GradConfig | undefined = tf.getGradient(kernel);
    expect(config).toBeDefined();
  });

  it('are 0 for abs and relu at 0, as in PyTorch', () => {
    expect(gradientOf(tf.abs, [0, -2])).toEqual([0, -1]);
    expect(gradientOf(tf.relu, [0, 2])).toEqual([0, 1]);
  });

  it('share a tied maximum evenly, as amax in PyTorch', () => {
    expect(gradientOf((x) => tf.max(x), [3, 1, 3])).toEqual([0.5, 0, 0.5]);
  });

  it('credit a tie of maximum and of minimum to the first operand', () => {
    for (const op of [tf.maximum, tf.minimum]) {
      const gradients = tf.tidy(() =>
        tf
          .grads((a: tf.Tensor, b: tf.Tensor) => op(a, b))([tf.scalar(2), tf.scalar(2)])
          .map((g) => g.dataSync()[0]),
      );
      expect(gradients).toEqual([1, 0]);
    }
  });

  it('of a power are finite at base 0', () => {
    const gradients = tf.tidy(() =>
      tf
        .grads((base: tf.Tensor, exponent: tf.Tensor) => tf.pow(base, exponent))([tf.scalar(0), tf.scalar(2)])
        .map((gradient) => gradient.dataSync()[0]),
    );
    expect(gradients).toEqual([0, 0]);
  });

  it('pass by a mask made from the activation itself', () => {
    const f = (x: tf.Tensor) => {
      const large = tf.logicalNot(tf.logicalAnd(tf.less(x, 2), tf.greaterEqual(x, tf.zerosLike(x))));
      return tf.mul(tf.cast(large, 'float32'), tf.square(x));
    };
    expect(gradientOf(f, [-3, 1, 3])).toEqual([-6, 0, 6]);
  });

  it('of a selection are not poisoned by an infinite gradient of the branch not taken', () => {
    const safeLog = (x: tf.Tensor) => tf.where(tf.greater(x, 0), x, tf.zerosLike(x));
    const gradient = tf.tidy(() => {
      const dy = tf.tensor1d([Number.POSITIVE_INFINITY, 1]);
      return Array.from(
        tf
          .grad(safeLog)(tf.tensor1d([-1, 1]), dy)
          .dataSync(),
      );
    });
    expect(gradient).toEqual([0, 1]);
  });

  it('add up over every use of a tensor', () => {
    // (x + x) x - x has the slope 4 x - 1.
    const f = (x: tf.Tensor) => tf.sub(tf.mul(tf.add(x, x), x), x);
    expect(gradientOf(f, [3, -1])).toEqual([11, -5]);
  });

  it('survive a residual path, where one dy serves two operands', () => {
    // Once the slope of the last product joins that of x, the sum replaces dy, which the first product still needs.
    const f = (x: tf.Tensor) => {
      const [first, last] = [tf.mul(x, 2), tf.mul(x, 3)];
      return tf.add(tf.add(x, first), last);
    };
    expect(gradientOf(f, [1])).toEqual([6]);
  });

  it('of gather add up for a row picked twice, and are 0 for none picked', () => {
    expect(gradientOf((x) => tf.gather(x, tf.tensor1d([1, 1], 'int32')), [4, 5])).toEqual([0, 2]);
    expect(gradientOf((x) => tf.gather(x, tf.tensor1d([], 'int32')), [4, 5])).toEqual([0, 0]);
  });

  it('of gather refuse batch axes', () => {
    tf.tidy(() => {
      const [x, indices] = [tf.ones([2, 2]), tf.zeros([2, 1], 'int32')];
      const { x: gradient } = tf.getGradient('GatherV2').gradFunc(x, [x, indices], { axis: 1, batchDims: 1 });
      expect(gradient).toThrow('gradient of GatherV2: got batchDims 1, expected 0');
    });
  });

  it('of the LogSoftmax kernel equal those of tf.logSoftmax', () => {
    tf.tidy(() => {
      const [x, dy] = [toDevice(randomTensor('x', [2, 3])), toDevice(randomTensor('dy', [2, 3]))];
      const kernel = tf.getGradient('LogSoftmax').gradFunc(dy, [tf.logSoftmax(x)], { axis: 1 });
      const want = tf.grad((logits) => tf.logSoftmax(logits))(x, dy);
      // Measured: 0, the same operations.
      expectClose(toHost(kernel['logits']?.() ?? x), toHost(want), 1e-7);
    });
  });

  it('of the BroadcastTo kernel sum over the axes that it added', () => {
    tf.tidy(() => {
      const gradient = tf.getGradient('BroadcastTo').gradFunc(tf.ones([4, 2, 3]), [tf.zeros([2, 1])], {});
      expect(toHost(gradient['x']?.() ?? tf.scalar(0))).toEqual(toHost(tf.fill([2, 1], 12)));
    });
  });
});
