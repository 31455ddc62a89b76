import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend as startBackend } from '../../src/backend/select.js';
import { linear, rmsNorm, swiGlu } from '../../src/ops/index.js';
import { valueAndGradients } from '../../src/train/backward.js';
import { checkLeaks } from '../support/leak-check.js';

const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);
const bits = (tensors: readonly (tf.Tensor | null | undefined)[]) =>
  tensors.map((x) => (x === undefined || x === null ? undefined : Array.from(x.dataSync())));

describe('valueAndGradients', () => {
  beforeAll(() => startBackend({ backend: 'native', threads: 2 }));
  checkLeaks();

  /** Inputs used twice, a kernel with several outputs of which one is unused, a branch that leads nowhere. */
  function graph(x: tf.Tensor, w: tf.Tensor, frozen: tf.Tensor): tf.Tensor {
    const y = linear(rmsNorm(x, tf.ones([8]), 1e-5), w);
    const [left, middle] = tf.split(tf.add(y, tf.mul(x, x)), 4, 1);
    if (left === undefined || middle === undefined) throw new Error('tf.split');
    tf.exp(y);
    return tf.sum(linear(swiGlu(left, tf.mul(middle, left)), frozen));
  }

  it("gives the bits of the engine's own walk", () => {
    tf.tidy(() => {
      const [x, w, frozen, unused] = [normal([5, 8], 1), normal([8, 8], 2), normal([3, 2], 3), normal([2], 4)];
      const inputs = [x, w, unused];
      const twin = tf.engine().gradients(() => graph(x, w, frozen), inputs, undefined, true);
      const ours = valueAndGradients(() => graph(x, w, frozen), inputs);
      expect(bits([ours.value])).toEqual(bits([twin.value]));
      expect(bits(ours.gradients)).toEqual(bits(twin.grads));
      expect(ours.gradients[2]).toBeUndefined();
    });
  });

  it('starts from a given gradient and leaves it to its owner', () => {
    tf.tidy(() => {
      const [x, dy] = [normal([4], 1), normal([4], 2)];
      const { gradients } = valueAndGradients(() => tf.mul(x, 3), [x], dy);
      const expected = tf.mul(dy, 3).dataSync();
      expect(gradients[0]?.dataSync()).toEqual(expected);
      expect(dy.isDisposed).toBe(false);
    });
  });

  it('frees activations and gradients while it walks', () => {
    const backend = tf.backend();
    if (!(backend instanceof NativeBackend)) throw new Error('the native backend is not current');
    const { device } = backend;
    /** Bytes in use at most during `run`. */
    const peak = (run: () => void) => {
      const { alloc } = device;
      const before = device.stats().liveBytes;
      let most = 0;
      device.alloc = (bytes) => {
        const address = alloc.call(device, bytes);
        most = Math.max(most, device.stats().liveBytes - before);
        return address;
      };
      tf.tidy(() => void run());
      device.alloc = alloc;
      return most;
    };
    const x = normal([64, 64], 1);
    const chain = () => {
      let y: tf.Tensor = x;
      for (let i = 0; i < 12; i++) {
        const next = tf.tanh(y);
        if (i > 0) y.dispose();
        y = next;
      }
      return tf.sum(y);
    };
    const ours = peak(() => valueAndGradients(chain, [x]));
    const twin = peak(() => tf.engine().gradients(chain, [x]));
    x.dispose();
    // 12 saved outputs of 16 KiB and four tensors in the works, against 12 of each kind.
    expect(ours).toBeLessThan(17 * 16384);
    expect(twin).toBeGreaterThan(24 * 16384);
  });

  it('leaves nothing behind when the function throws, or has no gradient', () => {
    const x = normal([4], 1);
    const failing = () => {
      tf.mul(tf.exp(x), x);
      throw new Error('on the way');
    };
    const tensors = tf.memory().numTensors;
    expect(() => valueAndGradients(failing, [x])).toThrow('on the way');
    expect(tf.memory().numTensors).toBe(tensors);
    expect(() => valueAndGradients(() => tf.atan(tf.exp(x)), [x])).toThrow('Atan has no gradient');
    expect(tf.memory().numTensors).toBe(tensors);
    x.dispose();
  });
});
