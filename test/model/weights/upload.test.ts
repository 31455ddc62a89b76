import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../../src/backend/native-backend.js';
import { useBackend } from '../../../src/backend/select.js';
import { MimicError } from '../../../src/base/errors.js';
import { Rng } from '../../../src/base/rng.js';
import type { SafetensorsDtype, TensorData } from '../../../src/model/weights/dtype.js';
import { bytesPerElement, viewAs } from '../../../src/model/weights/dtype.js';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../../src/model/weights/half.js';
import type { RowRange, SourceTensor, WeightSource } from '../../../src/model/weights/source.js';
import { uploadRows } from '../../../src/model/weights/upload.js';

/** More than two conversion chunks (1 Mi elements) and no multiple of one, nor of a piece that is read at once. */
const [ROWS, COLS] = [2603, 1031];

/** A source in memory that says how many bytes were under way at once. */
class MemorySource implements WeightSource {
  readonly path = 'memory';
  readonly tensors = new Map<string, SourceTensor>();
  largestRead = 0;
  failAt = Number.POSITIVE_INFINITY;
  underWay = 0;
  private readonly bytes = new Map<string, Uint8Array>();

  add(name: string, dtype: SafetensorsDtype, shape: readonly number[], data: TensorData): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.bytes.set(name, bytes);
    this.tensors.set(name, { name, dtype, shape, byteLength: bytes.length, file: 'memory' });
  }

  async readInto(name: string, out: Uint8Array, byteOffset: number): Promise<void> {
    this.underWay++;
    this.largestRead = Math.max(this.largestRead, out.length);
    await new Promise((resolve) => setImmediate(resolve));
    this.underWay--;
    if (byteOffset + out.length > this.failAt) throw new Error('disk lost');
    out.set(this.bytes.get(name)?.subarray(byteOffset, byteOffset + out.length) ?? []);
  }

  async close(): Promise<void> {}
}

function randomValues(count: number, seed: number): Float32Array {
  const rng = new Rng(seed);
  const values = Float32Array.from({ length: Math.min(count, 9973) }, () => rng.normal());
  // Rare ones that rounding can get wrong: a tie to even below and above, the largest bf16's edge, subnormals, NaN.
  values.set([1.00390625, 1.01171875, 3.4e38, 1e-40, -0, Number.NaN, Number.POSITIVE_INFINITY]);
  return Float32Array.from({ length: count }, (_, i) => values[i % values.length] ?? 0);
}

const widened = (bits: Uint16Array, widen: (bits: Uint16Array, out: Float32Array) => void) => {
  const out = new Float32Array(bits.length);
  widen(bits, out);
  return out;
};
const bf16Of = (values: Float32Array) => widened(float32ToBfloat16(values), bfloat16ToFloat32);

const source = new MemorySource();
const f32 = randomValues(ROWS * COLS, 1);
const bf16 = float32ToBfloat16(f32);
const f16 = float32ToFloat16(f32.subarray(0, 3 * COLS));
const f64 = Float64Array.from(f32.subarray(0, 2 * COLS), (x, i) => x + (i % 3) * 1e-9);
source.add('f32', 'F32', [ROWS, COLS], f32);
source.add('bf16', 'BF16', [ROWS, COLS], bf16);
source.add('f16', 'F16', [3, COLS], f16);
source.add('f64', 'F64', [2, COLS], f64);
source.add('scalar', 'F32', [], Float32Array.of(7));
source.add('empty', 'F32', [0, 3], new Float32Array(0));
source.add('ids', 'I64', [2], BigInt64Array.of(1n, 2n));

/** What each stored type holds, as float32. */
const VALUES: Record<string, Float32Array> = {
  f32,
  bf16: widened(bf16, bfloat16ToFloat32),
  f16: widened(f16, float16ToFloat32),
  f64: Float32Array.from(f64),
};

const whole = (tensor: string): RowRange => ({ tensor, start: 0, count: source.tensors.get(tensor)?.shape[0] ?? 1 });
const words = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
/** Bit for bit, but for the payload of NaN. */
const same = (got: Float32Array, want: Float32Array) =>
  got.length === want.length && (words(got).equals(words(want)) || got.every((x, i) => Object.is(x, want[i])));

async function uploaded(rows: readonly RowRange[], shape: readonly number[], storage: 'f32' | 'bf16') {
  const tensor = await uploadRows(source, rows, shape, storage);
  const values = tensor.dataSync<'float32'>();
  const backend: unknown = tf.backend();
  const kept = backend instanceof NativeBackend ? backend.storageOf(tensor) : 'f32';
  tensor.dispose();
  return { values, kept };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof MimicError ? error.code : `${error}`),
  );
}

describe.each(['native', 'cpu'] as const)('uploading rows to backend %s', (backend) => {
  beforeAll(async () => {
    await useBackend({ backend, device: backend === 'native' ? 'cpu' : undefined, threads: 1 });
  });

  it.each(Object.keys(VALUES))(
    'keeps every value of %s in f32, and rounds it to bf16 as the slow way does',
    async (name) => {
      const shape = source.tensors.get(name)?.shape ?? [];
      const values = VALUES[name] ?? new Float32Array(0);
      const asF32 = await uploaded([whole(name)], shape, 'f32');
      expect(same(asF32.values, values)).toBe(true);
      const asBf16 = await uploaded([whole(name)], shape, 'bf16');
      expect(asBf16.kept).toBe(backend === 'native' ? 'bf16' : 'f32');
      expect(same(asBf16.values, backend === 'native' ? bf16Of(values) : values)).toBe(true);
    },
  );

  it('puts rows of several tensors and types below each other, in the order given', async () => {
    const rows = [
      { tensor: 'bf16', start: 7, count: 2 },
      { tensor: 'f32', start: ROWS - 9, count: 9 },
      { tensor: 'f16', start: 1, count: 1 },
      { tensor: 'bf16', start: 0, count: 0 },
      { tensor: 'f32', start: 0, count: 1 },
    ];
    const want = rows.flatMap(({ tensor, start, count }) => [
      ...(VALUES[tensor] ?? []).slice(start * COLS, (start + count) * COLS),
    ]);
    const { values } = await uploaded(rows, [13, COLS], 'f32');
    expect(same(values, Float32Array.from(want))).toBe(true);
  });

  it('takes scalars, empty tensors and another shape of the same size', async () => {
    expect([...(await uploaded([whole('scalar')], [], 'f32')).values]).toEqual([7]);
    expect((await uploaded([whole('empty')], [0, 3], 'bf16')).values.length).toBe(0);
    const flat = await uploadRows(source, [whole('f16')], [3 * COLS], 'f32');
    expect(flat.shape).toEqual([3 * COLS]);
    flat.dispose();
  });

  it('refuses integers, absent names, rows beyond the tensor and another size', async () => {
    expect(await codeOf(uploadRows(source, [whole('ids')], [2], 'f32'))).toBe('E_WEIGHTS_DTYPE');
    expect(await codeOf(uploadRows(source, [whole('absent')], [1], 'f32'))).toBe('E_WEIGHTS_NO_TENSOR');
    const beyond = { tensor: 'f32', start: ROWS - 1, count: 2 };
    expect(await codeOf(uploadRows(source, [beyond], [2, COLS], 'f32'))).toBe('E_WEIGHTS_ROWS');
    expect(await codeOf(uploadRows(source, [{ ...beyond, start: -1 }], [2, COLS], 'f32'))).toBe('E_WEIGHTS_ROWS');
    expect(await codeOf(uploadRows(source, [whole('f16')], [3, COLS + 1], 'f32'))).toBe('E_WEIGHTS_SHAPE');
  });

  it('reads no more than a few MiB at once', () => {
    expect(source.largestRead).toBeGreaterThan(2 ** 20);
    expect(source.largestRead).toBeLessThanOrEqual(32 * 2 ** 20);
  });
});

describe('an upload that fails', () => {
  beforeAll(async () => {
    await useBackend({ backend: 'native', device: 'cpu', threads: 1 });
  });
  afterAll(() => {
    source.failAt = Number.POSITIVE_INFINITY;
  });

  it.each([
    ['f32', 'f32'],
    ['f32', 'bf16'],
    ['bf16', 'f32'],
  ] as const)('from %s to %s gives all memory back and leaves no read under way', async (name, storage) => {
    const backend = tf.backend();
    if (!(backend instanceof NativeBackend)) throw new TypeError('not native');
    const before = { live: backend.memory().deviceBytes, tensors: tf.memory().numTensors };
    source.failAt = bytesPerElement(source.tensors.get(name)?.dtype ?? 'F32') * COLS * 2590;
    await expect(uploadRows(source, [whole(name)], [ROWS, COLS], storage)).rejects.toThrow('disk lost');
    expect(source.underWay).toBe(0);
    expect({ live: backend.memory().deviceBytes, tensors: tf.memory().numTensors }).toEqual(before);
  });

  it('reads nothing on the null backend, which has no memory', async () => {
    await useBackend({ backend: 'null' });
    const silent = new MemorySource();
    silent.add('x', 'BF16', [2, 2], viewAs('BF16', new Uint8Array(8)));
    const tensor = await uploadRows(silent, [{ tensor: 'x', start: 0, count: 2 }], [2, 2], 'bf16');
    expect([tensor.shape, silent.largestRead]).toEqual([[2, 2], 0]);
    tensor.dispose();
  });
});
