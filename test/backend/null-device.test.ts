import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { NullDevice } from '../../src/backend/null-device.js';
import { useBackend } from '../../src/backend/select.js';
import { attention, linear } from '../../src/ops/index.js';
import { checkLeaks } from '../support/leak-check.js';

function nullDevice(): NullDevice {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend && backend.device instanceof NullDevice)) throw new TypeError('not on null');
  return backend.device;
}

describe('the null device', () => {
  beforeAll(async () => {
    expect(await useBackend({ backend: 'null' })).toEqual({ name: 'null', reason: 'dry run: shapes and counts only' });
  });
  checkLeaks();

  it('counts launches and the FLOPs of matrix products and attention, forward and backward', () => {
    const device = nullDevice();
    const before = device.stats();
    const [B, T, H, D] = [2, 5, 4, 8];
    const x = tf.zeros([B * T, 32]);
    const weight = tf.zeros([H * D, 32]);
    const f = (w: tf.Tensor) => {
      const q = tf.reshape(linear(x, w), [B, T, H, D]);
      return tf.sum(attention(q, q, q, { causal: true }));
    };
    const gradient = tf.grad(f)(weight);
    expect(gradient.shape).toEqual([H * D, 32]);
    const gemm = 2 * B * T * 32 * H * D;
    const scores = 4 * B * H * T * T * D;
    expect(device.stats().matmulFlops - before.matmulFlops).toBe(2 * gemm + 3.5 * scores);
    expect(device.launchesByKernel.get('gemm')).toBe(2);
    expect(device.launchesByKernel.get('attention')).toBe(1);
    expect(device.launchesByKernel.get('attentionGrad')).toBe(1);
    tf.dispose([x, weight, gradient]);
  });

  it('holds tensors far beyond the memory of the machine, and counts their bytes', () => {
    const device = nullDevice();
    const { liveBytes } = device.stats();
    const big = tf.fill([1 << 20, 1 << 20], 0);
    expect(device.stats().liveBytes - liveBytes).toBe(4 * 2 ** 40);
    expect(device.stats().peakBytes).toBeGreaterThanOrEqual(4 * 2 ** 40);
    big.dispose();
    expect(device.stats().liveBytes).toBe(liveBytes);
  });

  it('reads as zeros', () => {
    const x = tf.tensor1d([1, 2, 3]);
    expect(x.dataSync()).toEqual(new Float32Array(3));
    x.dispose();
  });

  it('gives distinct addresses to buffers that live together', () => {
    const device = new NullDevice();
    const [a, b] = [device.alloc(100), device.alloc(100)];
    expect(Math.abs(a - b)).toBeGreaterThanOrEqual(100);
    device.free(a, 100);
    expect(device.alloc(90)).toBe(a);
  });
});
