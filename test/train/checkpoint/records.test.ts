import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackMultiple } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.js';
import { decodeValue, encodeValue, readRecords, writeRecords } from '../../../src/train/checkpoint/records.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();

async function readAll(path: string): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const record of readRecords(path)) records.push(record);
  return records;
}

describe('MessagePack values', () => {
  it('keep typed arrays bit for bit, also views into larger buffers', () => {
    const bits = Uint32Array.of(0x7fc00001, 0x80000000, 1, 0xff800000);
    const view = new Float32Array(bits.buffer, 4, 2);
    const decoded = decodeValue('x', encodeValue({ all: new Float32Array(bits.buffer), view })) as Record<
      string,
      Float32Array
    >;
    expect(new Uint32Array(decoded['all']?.buffer ?? new ArrayBuffer(0))).toEqual(bits);
    expect(new Uint32Array(decoded['view']?.buffer ?? new ArrayBuffer(0))).toEqual(bits.slice(1, 3));
  });

  it('have the documented layout: extension t, kind 7, little-endian floats', () => {
    const bytes = encodeValue(Float32Array.of(1, -2));
    expect([...bytes]).toEqual([0xc7, 9, 0x74, 7, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  it('that are cut off are refused', () => {
    const bytes = encodeValue({ name: 'x', values: [1, 2, 3] });
    expect(() => decodeValue('state.msgpack', bytes.subarray(0, -1))).toThrow(CheckpointError);
    expect(() => decodeValue('state.msgpack', bytes.subarray(0, -1))).toThrow('state.msgpack: not MessagePack');
  });
});

describe('a file of records', () => {
  const records = [
    { name: 'a', m: Float32Array.of(1, 2) },
    { name: 'b', m: new Float32Array(20_000).fill(0.5) },
    3,
    null,
  ];

  it('gives them back one by one', async () => {
    const path = join(folder, 'records');
    await writeRecords(path, records);
    expect(await readAll(path)).toEqual(records);
    await writeRecords(join(folder, 'none'), []);
    expect(await readAll(join(folder, 'none'))).toEqual([]);
  });

  it('is a plain MessagePack stream of lengths and values', async () => {
    const path = join(folder, 'stream');
    await writeRecords(path, records);
    const values: unknown[] = unpackMultiple(readFileSync(path));
    expect(values.filter((_, i) => i % 2 === 1)).toEqual(records);
  });

  it('is refused when it is cut off or its lengths are nonsense', async () => {
    const path = join(folder, 'cut');
    await writeRecords(path, records);
    truncateSync(path, 10_000);
    await expect(readAll(path)).rejects.toThrow(/cut: no record of a valid length at byte \d+/);
    writeFileSync(path, Buffer.alloc(20, 0xcf));
    await expect(readAll(path)).rejects.toThrow('no record of a valid length at byte 0');
    writeFileSync(path, 'hello, this is text');
    await expect(readAll(path)).rejects.toThrow(CheckpointError);
  });
});
