import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../../src/backend/native-backend.js';
import { useBackend } from '../../../src/backend/select.js';
import { float32ToBfloat16 } from '../../../src/model/weights/half.js';
import { openWeights } from '../../../src/model/weights/open-weights.js';
import { writeSafetensors } from '../../../src/model/weights/safetensors.js';
import type { WeightSource } from '../../../src/model/weights/source.js';
import { uploadRows } from '../../../src/model/weights/upload.js';

/** 2 MiB in bf16: above the smallest size that is mapped, and no multiple of a page. */
const [ROWS, COLS] = [1021, 1031];
const values = Float32Array.from({ length: ROWS * COLS }, (_, i) => ((i * 7919) % 2003) / 2003 - 0.5);
const bits = float32ToBfloat16(values);
const rounded = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);

let folder: string;
let path: string;
let source: WeightSource;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-mapped-'));
  path = join(folder, 'model.safetensors');
  await useBackend({ backend: 'native', device: 'cpu', precision: 'fp32', threads: 2 });
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => source.close());

function native(): NativeBackend {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('expected the native backend');
  return backend;
}

async function write(): Promise<void> {
  await writeSafetensors(path, [{ name: 'half', dtype: 'BF16', shape: [ROWS, COLS], data: () => bits }]);
  source = await openWeights(path);
}

/** As no writer would order them: f32 behind an odd number of bf16 values begins at no multiple of four. */
async function writeUnaligned(): Promise<void> {
  const [half, end] = [2 * ROWS * COLS, 6 * ROWS * COLS];
  const shape = [ROWS, COLS];
  const tensors = {
    half: { dtype: 'BF16', shape, data_offsets: [0, half] },
    full: { dtype: 'F32', shape, data_offsets: [half, end] },
  };
  const text = JSON.stringify(tensors);
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await writeFile(path, Buffer.concat([length, header, Buffer.from(bits.buffer), words(values)]));
  source = await openWeights(path);
}

const rows = (tensor: string, start = 0, count = ROWS) => [{ tensor, start, count }];
const words = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
/** Bit for bit; the matchers' own comparison takes seconds for a million numbers. */
const expectSame = (got: tf.Tensor, want: Float32Array) =>
  expect(words(got.dataSync<'float32'>()).equals(words(want))).toBe(true);
/** How often the file appears among this process's mappings. */
const mappings = async (of = path) => (await readFile('/proc/self/maps', 'utf8')).split(of).length - 1;

describe.runIf(existsSync('/proc/self/maps'))('uploadRows from a mapped file', () => {
  it('gives the values of a copy, of the whole tensor and of some of its rows', async () => {
    await write();
    for (const use of ['whole', 'rows'] as const) {
      const all = await uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', use);
      const some = await uploadRows(source, rows('half', 7, 900), [900, COLS], 'bf16', use);
      expect(await mappings()).toBe(2);
      expectSame(all, rounded);
      expectSame(some, rounded.subarray(7 * COLS, 907 * COLS));
      tf.dispose([all, some]);
      expect(await mappings()).toBe(0);
    }
  });

  it('computes with a mapped tensor as with a copy, bit for bit', async () => {
    await write();
    const x = tf.tensor2d(values.subarray(0, 3 * COLS), [3, COLS]);
    const product = async (use?: 'whole') => {
      const w = await uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', use);
      const y = tf.matMul(x, w as tf.Tensor2D, false, true);
      const result = y.dataSync<'float32'>();
      tf.dispose([w, y]);
      return result;
    };
    expect(words(await product('whole')).equals(words(await product()))).toBe(true);
    x.dispose();
  });

  it('copies what needs a conversion, is small, or lies at no multiple of its element', async () => {
    await writeUnaligned();
    const widened = await uploadRows(source, rows('half'), [ROWS, COLS], 'f32', 'whole');
    const small = await uploadRows(source, rows('half', 0, 4), [4, COLS], 'bf16', 'whole');
    expect((source.locate?.('full')?.position ?? 0) % 4).toBe(2);
    const unaligned = await uploadRows(source, rows('full'), [ROWS, COLS], 'f32', 'whole');
    expect(await mappings()).toBe(0);
    expectSame(widened, rounded);
    expectSame(small, rounded.subarray(0, 4 * COLS));
    expectSame(unaligned, values);
    tf.dispose([widened, small, unaligned]);
  });

  it('never writes to the file, whatever is done to the tensor', async () => {
    await write();
    const before = await readFile(path);
    const tensor = await uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', 'whole');
    native().device.write(native().address(tensor), new Uint16Array(ROWS * COLS).fill(0x3f80));
    expect(tensor.dataSync().every((x) => x === 1)).toBe(true);
    tensor.dispose();
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  it('keeps the values when another file takes the place of its own', async () => {
    await write();
    const tensor = await uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', 'rows');
    const other = join(folder, 'other.safetensors');
    const zeros = new Uint16Array(ROWS * COLS);
    await writeSafetensors(other, [{ name: 'half', dtype: 'BF16', shape: [ROWS, COLS], data: () => zeros }]);
    await rename(other, path);
    expectSame(tensor, rounded);
    tensor.dispose();
  });

  it('refuses a file that became shorter after it was opened', async () => {
    await write();
    await truncate(path, 4096);
    await expect(uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', 'whole')).rejects.toMatchObject({
      code: 'E_SAFETENSORS_TRUNCATED',
    });
    expect(await mappings()).toBe(0);
  });

  it('counts what is used as a whole among the bytes in use, and gives them back', async () => {
    await write();
    const before = native().memory().deviceBytes;
    const whole = await uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', 'whole');
    expect(native().memory().deviceBytes - before).toBe(2 * ROWS * COLS);
    const table = await uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', 'rows');
    expect(native().memory().deviceBytes - before).toBe(2 * ROWS * COLS);
    tf.dispose([whole, table]);
    expect(native().memory().deviceBytes).toBe(before);
  });

  it('can be switched off', async () => {
    await write();
    process.env['MIMIC_MAP_WEIGHTS'] = '0';
    try {
      const tensor = await uploadRows(source, rows('half'), [ROWS, COLS], 'bf16', 'whole');
      expect(await mappings()).toBe(0);
      expectSame(tensor, rounded);
      tensor.dispose();
    } finally {
      delete process.env['MIMIC_MAP_WEIGHTS'];
    }
  });
});

describe('a file that is closed', () => {
  it('stays readable through the tensors that were mapped from it', async () => {
    await write();
    const other = await openWeights(path);
    const tensor = await uploadRows(other, rows('half'), [ROWS, COLS], 'bf16', 'rows');
    await other.close();
    // Descriptors are used again: the next file gets the one that was mapped.
    const next = await open(path, 'r');
    expectSame(tensor, rounded);
    tensor.dispose();
    await next.close();
  });
});
