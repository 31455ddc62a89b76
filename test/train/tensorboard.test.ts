import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.js';
import { crc32c } from '../../src/train/tensorboard/crc32c.js';
import { TensorBoardWriter } from '../../src/train/tensorboard.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const clock = { nowSec: () => 1_700_000_000.25 };

/** Splits a file into its records and checks both checksums of each, from the format's description. */
function readRecords(path: string): Buffer[] {
  const bytes = readFileSync(path);
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crc32c(bytes.subarray(at, at + 8)));
    const record = bytes.subarray(at + 12, at + 12 + length);
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crc32c(record));
    records.push(record);
    at += 16 + length;
  }
  return records;
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated << 15) | (rotated >>> 17)) >>> 0;
}

type Field = bigint | number | Buffer;

/** Decodes a protocol-buffer message into its fields by number. */
function readMessage(bytes: Buffer): Map<number, Field> {
  const fields = new Map<number, Field>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wireType = tag % 8;
    const field = (tag - wireType) / 8;
    if (wireType === 0) fields.set(field, varint());
    else if (wireType === 1) fields.set(field, take(8).readDoubleLE());
    else if (wireType === 5) fields.set(field, take(4).readFloatLE());
    else fields.set(field, take(Number(varint())));
  }
  return fields;
}

function nested(message: Map<number, Field>, ...path: number[]): Map<number, Field> {
  let current = message;
  for (const field of path) current = readMessage(current.get(field) as Buffer);
  return current;
}

function scalarsOf(path: string): [string, bigint, number][] {
  return readRecords(path)
    .slice(1)
    .map((record) => {
      const event = readMessage(record);
      const value = nested(event, 5, 1);
      return [String(value.get(1)), event.get(2) as bigint, value.get(2) as number];
    });
}

describe('TensorBoardWriter', () => {
  it('starts with the file version under the name TensorBoard looks for', () => {
    const writer = new TensorBoardWriter(join(folder, 'start'), clock);
    writer.close();
    const [name] = readdirSync(join(folder, 'start'));
    expect(name).toMatch(/^events\.out\.tfevents\.1700000000\./);
    expect(name).toContain(`${hostname()}.${process.pid}.`);
    const [version] = readRecords(writer.path).map(readMessage);
    expect(version?.get(1)).toBe(1_700_000_000.25);
    expect(String(version?.get(3))).toBe('brain.Event:2');
  });

  it('gives back every scalar with tag, step and float32 value, checksums valid', () => {
    const writer = new TensorBoardWriter(join(folder, 'scalars'), clock);
    const written: [string, bigint, number][] = [];
    const steps = [0, 1, 127, 128, 300, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER];
    for (const [i, step] of steps.entries()) {
      writer.scalar(`train/loss-${'x'.repeat(i * 40)}`, 1 / (i + 3), step);
      written.push([`train/loss-${'x'.repeat(i * 40)}`, BigInt(step), Math.fround(1 / (i + 3))]);
    }
    writer.scalar('gr\u00f6\u00dfe', Number.NaN, 3);
    writer.flush();
    expect(scalarsOf(writer.path)).toEqual([...written, ['gr\u00f6\u00dfe', 3n, Number.NaN]]);
    writer.close();
  });

  it('marks where a resumed run starts', () => {
    const writer = new TensorBoardWriter(join(folder, 'resume'), { ...clock, resumeStep: 1200 });
    writer.close();
    const [, start] = readRecords(writer.path).map(readMessage);
    expect(start?.get(2)).toBe(1200n);
    expect(nested(start ?? new Map(), 7).get(1)).toBe(1n);
  });

  it('opens a new file each time, so that earlier ones stay as they are', () => {
    const first = new TensorBoardWriter(join(folder, 'twice'), clock);
    const second = new TensorBoardWriter(join(folder, 'twice'), clock);
    first.close();
    second.close();
    expect(readdirSync(join(folder, 'twice')).length).toBe(2);
  });

  it.each([[-1], [0.5], [Number.NaN], [2 ** 53]])('refuses the step %d', (step) => {
    const writer = new TensorBoardWriter(join(folder, 'steps'), clock);
    expect(() => writer.scalar('loss', 1, step)).toThrow(ConfigError);
    expect(() => writer.scalar('loss', 1, step)).toThrow(`step of loss is ${step}, expected a count from 0`);
    writer.close();
  });
});
