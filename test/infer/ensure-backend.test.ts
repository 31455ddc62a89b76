import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { log } from '../../src/base/logger.js';
import { ensureBackend } from '../../src/infer/ensure-backend.js';

describe('ensureBackend', () => {
  afterEach(() => vi.restoreAllMocks());

  it('starts the backend that is asked for, saying why, and then keeps it and its tensors', async () => {
    const info = vi.spyOn(log, 'info').mockReturnValue();
    await ensureBackend({ backend: 'cpu' });
    expect(tf.getBackend()).toBe('cpu');
    expect(info).toHaveBeenCalledExactlyOnceWith('backend cpu: TF.js in plain JavaScript');
    const weights = tf.tensor1d([1, 2]);
    await ensureBackend();
    await ensureBackend({ backend: 'cpu' });
    expect(info).toHaveBeenCalledTimes(1);
    expect(tf.getBackend()).toBe('cpu');
    expect(Array.from(weights.dataSync())).toEqual([1, 2]);
    weights.dispose();
  });

  it('changes to another backend when that is asked for', async () => {
    vi.spyOn(log, 'info').mockReturnValue();
    await ensureBackend({ backend: 'wasm', threads: 1 });
    expect(tf.getBackend()).toBe('wasm');
  });
});
