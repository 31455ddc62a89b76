import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { HostDevice } from '../../src/backend/host/host-device.js';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { attention, gatherRows, gelu, layerNorm, linear, linearCrossEntropy, rmsNorm } from '../../src/ops/index.js';
import { useBackend } from '../support/backends.js';
import { randomTensor, toDevice } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { NATIVE } from './native.js';

function hostDevice(): HostDevice {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend && backend.device instanceof HostDevice)) throw new TypeError('not on native');
  return backend.device;
}

/** One block of a transformer over 4,290 tokens: wide enough that every kernel family runs in several threads. */
const [B, T, H, D, C, F, V] = [33, 130, 4, 16, 64, 256, 300];
const PARAMETERS: Record<string, number[]> = {
  table: [50, C],
  gain: [C],
  qkv: [3 * C, C],
  gamma: [C],
  beta: [C],
  up: [F, C],
  down: [C, F],
  head: [V, C],
};

/** Loss and gradients of one block, as bytes. */
function step(): Uint8Array[] {
  const parameters = Object.entries(PARAMETERS).map(([name, shape]) => toDevice(randomTensor(name, shape, 0.3)));
  const ids = Int32Array.from({ length: B * T }, (_, i) => (i * 7) % 50);
  const labels = Int32Array.from({ length: B * T }, (_, i) => (i % 5 === 0 ? -100 : (i * 11) % V));
  const loss = (...weights: tf.Tensor[]) => {
    const [table, gain, qkv, gamma, beta, up, down, head] = weights as [tf.Tensor, ...tf.Tensor[]] & tf.Tensor[];
    if (!gain || !qkv || !gamma || !beta || !up || !down || !head) throw new RangeError('a weight is missing');
    const x = gatherRows(table, ids);
    const heads = tf.split(tf.reshape(linear(rmsNorm(x, gain, 1e-5), qkv), [B, T, 3 * H, D]), 3, 2);
    const [q, k, v] = heads as [tf.Tensor, tf.Tensor, tf.Tensor];
    const y = tf.add(x, tf.reshape(attention(q, k, v, { causal: true }), [B * T, C]));
    const z = tf.add(y, linear(gelu(linear(layerNorm(y, gamma, beta, 1e-5), up)), down));
    return tf.sum(linearCrossEntropy(z, head, labels, { labelSmoothing: 0.1 }));
  };
  const gradients = tf.grads(loss)(parameters);
  const value = tf.tidy(() => loss(...parameters));
  const bytes = [value, ...gradients].map((tensor) => new Uint8Array(tensor.dataSync().slice().buffer));
  tf.dispose([parameters, gradients, value]);
  return bytes;
}

describe('a training step on native', () => {
  useBackend(NATIVE);
  checkLeaks();
  afterAll(() => hostDevice().useThreads(2));

  it('gives the same bits twice', () => {
    expect(step()).toEqual(step());
  });

  it('gives the same bits with any number of threads', () => {
    hostDevice().useThreads(1);
    const alone = step();
    for (const threads of [2, 3, 7]) {
      hostDevice().useThreads(threads);
      expect(step()).toEqual(alone);
    }
  });
});
