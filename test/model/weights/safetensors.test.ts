import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.js';
import { Rng } from '../../../src/base/rng.js';
import { bytesPerElement, DTYPES, type TensorData, viewAs } from '../../../src/model/weights/dtype.js';
import { openSafetensors, type SafetensorsEntry, writeSafetensors } from '../../../src/model/weights/safetensors.js';
import { temporaryFolder } from '../../train/temporary-folder.js';
import { fileBytes, writeBytes } from './safetensors-bytes.js';

const folder = temporaryFolder();

const bytesOf = (data: TensorData) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof CheckpointError ? `${error.code}: ${error.message}` : `other: ${error}`),
  );
}

const entryArbitrary = fc
  .record({
    name: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'toString', 'a.b', '"\\')),
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
    seed: fc.nat(),
  })
  .map(({ name, dtype, shape, seed }): SafetensorsEntry => {
    const rng = new Rng(seed);
    const bytes = shape.reduce((product, size) => product * size, bytesPerElement(dtype));
    return {
      name,
      dtype,
      shape,
      data: viewAs(
        dtype,
        Uint8Array.from({ length: bytes }, () => rng.int(256)),
      ),
    };
  });
const filesArbitrary = fc.record({
  entries: fc.uniqueArray(entryArbitrary, { selector: ({ name }) => name, maxLength: 6 }),
  metadata: fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' }), { maxKeys: 3 }),
});

describe('safetensors files', () => {
  it('give back every name, dtype, shape, metadata entry and bit that was written', async () => {
    const path = join(folder, 'round-trip.safetensors');
    await fc.assert(
      fc.asyncProperty(filesArbitrary, async ({ entries, metadata }) => {
        await writeSafetensors(path, entries, metadata);
        const file = await openSafetensors(path);
        try {
          expect(Object.fromEntries(file.metadata)).toEqual(Object.fromEntries(Object.entries(metadata)));
          expect(file.tensors.size).toBe(entries.length);
          for (const { name, dtype, shape, data } of entries) {
            expect(file.tensors.get(name)).toMatchObject({ dtype, shape });
            expect(bytesOf(await file.read(name)).equals(bytesOf(data as TensorData))).toBe(true);
          }
        } finally {
          await file.close();
        }
      }),
      { seed: 1, numRuns: 150 },
    );
  });

  it('are the same bytes for the same tensors in any order, each tensor aligned to its element size', async () => {
    const entries: SafetensorsEntry[] = [
      { name: 'flag', dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
      { name: 'b', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) },
      { name: 'a', dtype: 'I64', shape: [], data: BigInt64Array.of(-5n) },
    ];
    const [first, second] = [join(folder, 'order-1'), join(folder, 'order-2')];
    await writeSafetensors(first, entries, { format: 'pt' });
    await writeSafetensors(second, [...entries].reverse(), { format: 'pt' });
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
    const file = await openSafetensors(first);
    await file.close();
    for (const { byteOffset, dtype } of file.tensors.values()) expect(byteOffset % bytesPerElement(dtype)).toBe(0);
  });

  it('turn float types into float32 and refuse integers', async () => {
    const path = join(folder, 'floats.safetensors');
    const values = Float32Array.of(1, -0.5, 65504, 3.140625);
    await writeSafetensors(path, [
      { name: 'f32', dtype: 'F32', shape: [4], data: values },
      { name: 'bf16', dtype: 'BF16', shape: [2], data: Float32Array.of(1, 3.140625) },
      { name: 'f16', dtype: 'F16', shape: [3], data: values.subarray(0, 3) },
      { name: 'f64', dtype: 'F64', shape: [1], data: Float64Array.of(0.1) },
      { name: 'i32', dtype: 'I32', shape: [1], data: Int32Array.of(1) },
    ]);
    const file = await openSafetensors(path);
    expect([...(await file.readFloat32('f32'))]).toEqual([...values]);
    expect([...(await file.readFloat32('bf16'))]).toEqual([1, 3.140625]);
    expect([...(await file.readFloat32('f16'))]).toEqual([1, -0.5, 65504]);
    expect([...(await file.readFloat32('f64'))]).toEqual([Math.fround(0.1)]);
    expect(await messageOf(file.readFloat32('i32'))).toContain('E_SAFETENSORS_DTYPE');
    expect(await messageOf(file.read('absent'))).toContain('no tensor named "absent" among its 5');
    await file.close();
  });

  it('widen tensors larger than one conversion chunk without a seam', async () => {
    const count = 2 ** 22 + 12345; // 8.02 MiB of bfloat16
    const bits = Uint16Array.from({ length: count }, (_, i) => 0x3f80 + (i % 127));
    const path = join(folder, 'large.safetensors');
    await writeSafetensors(path, [{ name: 'x', dtype: 'BF16', shape: [count], data: () => bits }]);
    const file = await openSafetensors(path);
    const values = new Uint32Array((await file.readFloat32('x')).buffer);
    await file.close();
    expect(values.every((word, i) => word === (bits[i] ?? 0) * 0x10000)).toBe(true);
  });

  it('never crash the reader: 3,000 mutated files are read or refused with CheckpointError', async () => {
    const path = join(folder, 'mutated.safetensors');
    const data = Float32Array.of(1, 2, 3, 4);
    await writeSafetensors(
      path,
      [
        { name: 'layer.weight', dtype: 'F32', shape: [2, 2], data },
        { name: 'layer.bias', dtype: 'I64', shape: [2], data: BigInt64Array.of(1n, 2n) },
        { name: 'mask', dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
      ],
      { format: 'pt' },
    );
    const original = readFileSync(path);
    const rng = new Rng(20);
    const counts = { read: 0, refused: 0 };
    for (let run = 0; run < 3000; run++) {
      const bytes = mutate(original, rng);
      writeFileSync(path, bytes);
      try {
        const file = await openSafetensors(path);
        for (const name of file.tensors.keys()) await file.read(name);
        const covered = [...file.tensors.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
        const headerBytes = Number(bytes.readBigUInt64LE());
        expect(8 + headerBytes + covered).toBe(bytes.length);
        await file.close();
        counts.read++;
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        counts.refused++;
      }
    }
    // Both ends must occur, or the mutations test nothing: flips in the values and names are legal.
    expect(counts.read).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(1000);
  });

  it('open without reading the tensors, even a sparse file of 1 TB whose tensor fits no array', async () => {
    const size = 10 ** 12;
    const header = `{"a":{"dtype":"U8","shape":[${size}],"data_offsets":[0,${size}]}}`;
    const path = writeBytes(folder, fileBytes(header, 0));
    truncateSync(path, 8 + header.length + size);
    const file = await openSafetensors(path);
    expect(file.tensors.get('a')?.byteLength).toBe(size);
    expect(await messageOf(file.read('a'))).toContain('E_SAFETENSORS_TENSOR_SIZE');
    await file.close();
  });

  it('report a file that shrinks while it is read', async () => {
    const path = join(folder, 'shrinks.safetensors');
    await writeSafetensors(path, [{ name: 'x', dtype: 'U8', shape: [100], data: new Uint8Array(100) }]);
    const file = await openSafetensors(path);
    truncateSync(path, 100);
    expect(await messageOf(file.read('x'))).toContain('E_SAFETENSORS_TRUNCATED');
    await file.close();
  });

  it('must be regular files: absent names, folders and pipes are refused without waiting', async () => {
    mkdirSync(join(folder, 'directory'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await messageOf(openSafetensors(join(folder, 'absent')))).toContain('E_SAFETENSORS_FILE');
    expect(await messageOf(openSafetensors(join(folder, 'directory')))).toContain('expected a regular file');
    expect(await messageOf(openSafetensors(join(folder, 'pipe')))).toContain('expected a regular file');
  });

  it('close their handle when the header is refused', async () => {
    const path = writeBytes(folder, fileBytes('nonsense', 0));
    const before = openFiles();
    for (let i = 0; i < 20; i++) await messageOf(openSafetensors(path));
    expect(openFiles()).toBe(before);
  });
});

describe('writing safetensors', () => {
  const one = (entry: Partial<SafetensorsEntry>): SafetensorsEntry => ({
    name: 'x',
    dtype: 'F32',
    shape: [2],
    data: Float32Array.of(1, 2),
    ...entry,
  });

  it.each([
    ['a name that comes twice', [one({}), one({})], 'its name appears twice'],
    ['the reserved name', [one({ name: '__metadata__' })], 'reserves this name'],
    ['half of a surrogate pair as name', [one({ name: '\ud800' })], 'surrogate'],
    ['a negative dimension', [one({ shape: [-2] })], 'its shape is [-2]'],
    ['a fraction as dimension', [one({ shape: [0.5, 4] })], 'its shape is [0.5,4]'],
    ['too few values', [one({ shape: [3] })], '2 values, expected 3 for [3]'],
    ['an array of another type', [one({ data: Int32Array.of(1, 2) })], 'a Int32Array does not hold F32'],
  ])('refuses %s and leaves no file', async (_name, entries, message) => {
    const target = join(folder, 'refused');
    expect(await messageOf(writeSafetensors(target, entries))).toContain(message);
    expect(readdirSync(folder).filter((name) => name.startsWith('refused'))).toEqual([]);
  });

  it('keeps the previous file when a tensor cannot be produced', async () => {
    const path = join(folder, 'kept.safetensors');
    await writeSafetensors(path, [one({})]);
    const before = readFileSync(path);
    const failing = one({ data: () => Promise.reject(new Error('device lost')) });
    await expect(writeSafetensors(path, [failing])).rejects.toThrow('device lost');
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith('kept'))).toEqual(['kept.safetensors']);
  });
});

/** Flips, inserts, removes, copies or cuts a few bytes, mostly in the header. */
function mutate(original: Buffer, rng: Rng): Buffer {
  let bytes = Buffer.from(original);
  for (let edits = 1 + rng.int(3); edits > 0; edits--) {
    const at = rng.int(10) < 8 ? rng.int(Math.min(bytes.length, 320)) : rng.int(bytes.length);
    const kind = rng.int(6);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << rng.int(8));
    else if (kind === 1) bytes[at] = rng.pick([...'{}[]",:0123456789eE.- \\']).charCodeAt(0);
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(rng.int(256)), bytes.subarray(at)]);
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + rng.int(8))]);
    else if (kind === 4) bytes.copyWithin(at, rng.int(bytes.length), rng.int(bytes.length));
    else bytes = bytes.subarray(0, Math.max(9, bytes.length - rng.int(4)));
    if (bytes.length < 9) break;
  }
  return bytes;
}

/** Descriptors held by this process: the next free number moves when one leaks. */
function openFiles(): number {
  const handle = openSync('/dev/null', 'r');
  closeSync(handle);
  return handle;
}
