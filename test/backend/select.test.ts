import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { HostDevice } from '../../src/backend/host/host-device.js';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend } from '../../src/backend/select.js';

const saved = { ...process.env };

/** 3 x 3 from every backend, as a sign of life. */
function product(): number[] {
  return tf.tidy(() => [...tf.matMul(tf.ones([3, 2]), tf.ones([2, 3])).dataSync()]);
}

describe('useBackend', () => {
  afterEach(() => {
    process.env = { ...saved };
  });

  it('falls back to wasm, saying why, where no compiler works', async () => {
    process.env['CXX'] = '/nowhere/c++';
    const { name, reason } = await useBackend();
    expect(name).toBe('wasm');
    expect(reason).toMatch(/^WebAssembly, \d+ threads; native is not available: native backend: no C\+\+ compiler/);
    expect(tf.getBackend()).toBe('wasm');
    expect(product()).toEqual(Array(9).fill(2));
  });

  it('does not fall back when native was asked for by name', async () => {
    process.env['CXX'] = '/nowhere/c++';
    await expect(useBackend({ backend: 'native' })).rejects.toMatchObject({ code: 'E_COMPILER_ABSENT' });
  });

  it('starts native by default and says on what', async () => {
    const { name, reason } = await useBackend();
    expect(name).toBe('native');
    expect(reason).toMatch(/, \d+ threads, /);
    expect(product()).toEqual(Array(9).fill(2));
  });

  it('keeps tensors valid when native is chosen again, with other threads', async () => {
    await useBackend({ backend: 'native' });
    const x = tf.tensor1d([1, 2, 3]);
    const { reason } = await useBackend({ backend: 'native', threads: 1 });
    expect(reason).toContain(', 1 threads, ');
    expect([...x.dataSync()]).toEqual([1, 2, 3]);
    x.dispose();
    const backend: unknown = tf.backend();
    expect(backend instanceof NativeBackend && backend.device instanceof HostDevice).toBe(true);
  });

  it('starts wasm and cpu by name', async () => {
    expect((await useBackend({ backend: 'wasm', threads: 1 })).name).toBe('wasm');
    expect(product()).toEqual(Array(9).fill(2));
    expect(await useBackend({ backend: 'cpu' })).toEqual({ name: 'cpu', reason: 'TF.js in plain JavaScript' });
    expect(product()).toEqual(Array(9).fill(2));
  });

  it.each(['tfjs-node', 'tfjs-node-gpu'] as const)('says how to install %s when it is absent', async (backend) => {
    await expect(useBackend({ backend })).rejects.toMatchObject({
      code: 'E_BACKEND_ABSENT',
      message: expect.stringContaining(`backend ${backend}: could not load @tensorflow/${backend}: `),
      hint: `npm install @tensorflow/${backend}@4.22 (Node 22 or older), or use --backend native`,
    });
  });

  it.each([
    [{ device: 'tpu' }, 'E_DEVICE_NAME'],
    [{ device: 'cuda:x' }, 'E_DEVICE_NAME'],
    [{ backend: 'wasm', device: 'cuda' }, 'E_DEVICE_ABSENT'],
    [{ backend: 'wasm', precision: 'bf16' }, 'E_PRECISION_ABSENT'],
  ] as const)('refuses %j instead of computing on something else', async (options, code) => {
    await expect(useBackend(options)).rejects.toMatchObject({ code });
  });

  it('says what is missing when a GPU was asked for by name, and goes on without one when it was not', async () => {
    process.env['MIMIC_CUDA_LIBS'] = '/nowhere';
    process.env['CUDA_VISIBLE_DEVICES'] = '';
    await expect(useBackend({ device: 'cuda' })).rejects.toMatchObject({ code: expect.stringMatching(/^E_/) });
    const { device, reason } = await useBackend({ device: 'auto' });
    expect(device).toBe('cpu');
    expect(reason).toMatch(/; no GPU: ./);
  });
});
