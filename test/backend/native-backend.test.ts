import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { NATIVE } from './native.js';

function native(): NativeBackend {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('not on native');
  return backend;
}

describe('the native backend', () => {
  useBackend(NATIVE);
  checkLeaks();

  it('gives back the values it was given, in their dtype', async () => {
    const x = tf.tensor([1.5, -2, 3], [3]);
    const i = tf.tensor([1, -2, 3], [3], 'int32');
    const b = tf.tensor([true, false], [2], 'bool');
    expect(x.dataSync()).toEqual(Float32Array.of(1.5, -2, 3));
    expect(await i.data()).toEqual(Int32Array.of(1, -2, 3));
    expect(b.dataSync()).toEqual(Uint8Array.of(1, 0));
    tf.dispose([x, i, b]);
  });

  it('refuses strings', () => {
    expect(() => tf.tensor(['a'], [1], 'string')).toThrow(
      'native backend: cannot store a string tensor; it holds float32, int32 and bool',
    );
  });

  it('shares data between a tensor, its clones and its reshapes, and frees it with the last', () => {
    const backend = native();
    const before = backend.memory().deviceBytes;
    const x = tf.zeros([4, 256]);
    const taken = backend.memory().deviceBytes - before;
    expect(taken).toBeGreaterThanOrEqual(4096);
    const clone = x.clone();
    const view = tf.reshape(x, [256, 4]);
    expect(backend.memory().deviceBytes - before).toBe(taken);
    expect(backend.refCount(x.dataId)).toBe(3);
    x.dispose();
    view.dispose();
    expect(backend.memory().deviceBytes - before).toBe(taken);
    clone.dispose();
    expect(backend.memory().deviceBytes).toBe(before);
  });

  it("frees attention's statistics with its output", () => {
    const backend = native();
    const before = backend.memory().deviceBytes;
    const q = tf.ones([1, 3, 2, 4]);
    const o = tf.engine().runKernel<tf.Tensor>('MimicAttention', { q, k: q, v: q }, { causal: true, scale: 1 });
    const again = o.clone();
    tf.dispose([q, o, again]);
    expect(backend.memory().deviceBytes).toBe(before);
  });

  it('moves data in from another backend at first use', async () => {
    await tf.setBackend('cpu');
    const x = tf.tensor1d([1, 2, 3]);
    await tf.setBackend('native');
    const y = tf.square(x);
    expect([...y.dataSync()]).toEqual([1, 4, 9]);
    tf.dispose([x, y]);
  });

  it('holds empty tensors', () => {
    const x = tf.zeros([0, 3]);
    const y = tf.add(x, 1);
    expect(y.dataSync()).toEqual(new Float32Array(0));
    tf.dispose([x, y]);
  });

  it('publishes the peak of its memory', () => {
    const backend = native();
    const size = 3_000_000;
    const x = tf.zeros([size]);
    x.dispose();
    expect(backend.memory().peakBytes).toBeGreaterThanOrEqual(4 * size);
    expect(backend.memory().deviceBytes).toBeLessThan(4 * size);
  });

  it('keeps float32 precision and the epsilon of TF.js', () => {
    expect(native().floatPrecision()).toBe(32);
    expect(native().epsilon()).toBe(1e-7);
  });

  it('measures kernels', async () => {
    const { kernelMs } = await tf.time(() => tf.tidy(() => void tf.matMul(tf.ones([64, 64]), tf.ones([64, 64]))));
    expect(kernelMs).toBeGreaterThan(0);
  });

  it('names a kernel that it lacks, and the nearest', () => {
    expect(() => native().device.launch('gelo')).toThrow('native backend: no kernel named gelo; did you mean gelu?');
  });
});
