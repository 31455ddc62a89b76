import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../src/model/weights/half.js';
import { stored } from '../../src/ops/index.js';
import { NATIVE } from './native.js';

describe('stored', () => {
  it('rounds to nearest even, keeps infinities and NaN, and widens exactly', async () => {
    await tf.setBackend(NATIVE.name);
    const values = [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, -1e-40, Infinity, -Infinity, Number.NaN, 0, -0, 0.1];
    const want = new Float32Array(values.length);
    bfloat16ToFloat32(float32ToBfloat16(Float32Array.from(values)), want);
    const x = tf.tensor1d(values);
    const narrow = stored(x, 'bf16');
    const wide = stored(narrow, 'f32');
    expect([...narrow.dataSync()]).toEqual([...want]);
    expect([...wide.dataSync()]).toEqual([...want]);
    const backend: unknown = tf.backend();
    expect(backend instanceof NativeBackend && [narrow, wide].map((t) => backend.storageOf(t))).toEqual([
      'bf16',
      'f32',
    ]);
    tf.dispose([x, narrow, wide]);
  });

  it('halves the device bytes', () => {
    const before = tf.memory();
    const x = tf.zeros([1024, 1024]);
    const narrow = stored(x, 'bf16');
    x.dispose();
    const bytes = (info: tf.MemoryInfo) => ('deviceBytes' in info ? Number(info.deviceBytes) : Number.NaN);
    expect(bytes(tf.memory()) - bytes(before)).toBe(2 ** 21);
    narrow.dispose();
  });
});
