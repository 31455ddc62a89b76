import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../src/model/weights/half.js';
import { stored } from '../../src/ops/index.js';
import { describeOp } from '../support/describe-op.js';
import { type HostTensor, hostTensor } from '../support/host-tensor.js';
import { type OpCase, opCases } from '../support/op-cases.js';
import { NATIVE } from './native.js';

function rounded({ shape, values }: HostTensor): HostTensor {
  const out = new Float32Array(values.length);
  bfloat16ToFloat32(float32ToBfloat16(Float32Array.from(values)), out);
  return hostTensor(shape, Float64Array.from(out));
}

/** The same op on bf16 inputs, against the same formula on the values these hold. */
function inBf16({ name, inputs, op, formula }: OpCase): OpCase {
  const run = (...xs: tf.Tensor[]) => tf.tidy(() => op(...xs.map((x) => stored(x, 'bf16'))));
  return { name, inputs: inputs.map(rounded), op: run, formula };
}

// One rounding to 8 bits is 2^-9 = 2.0e-3 of the largest value; ops in several steps round several times.
// Measured over all ops: forward 4.4e-3, backward 6.3e-3.
const TOLERANCE = { forward: 8e-3, backward: 1.2e-2 };
for (const [op, cases] of Object.entries(opCases)) describeOp(`${op} in bf16`, cases.map(inBf16), TOLERANCE, [NATIVE]);

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
