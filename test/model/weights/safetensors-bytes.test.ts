import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../../src/model/weights/safetensors.js';
import { decodeSafetensors, encodeSafetensors } from '../../../src/model/weights/safetensors-bytes.js';

const ENTRIES = [
  { name: 'half', dtype: 'BF16', shape: [3], data: Float32Array.of(1, -2, 0.1) },
  { name: 'whole', dtype: 'F32', shape: [1, 2], data: Float32Array.of(0.1, 3) },
  { name: 'none', dtype: 'I64', shape: [0, 4], data: new BigInt64Array(0) },
] as const;

describe('safetensors in memory', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mimic-safetensors-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('are the bytes of the file, and say what it says', async () => {
    const path = join(dir, 'file.safetensors');
    await writeSafetensors(path, ENTRIES, { kind: 'test' });
    const bytes = new Uint8Array(Buffer.concat(encodeSafetensors('memory', ENTRIES, { kind: 'test' })));
    expect(Buffer.compare(bytes, await readFile(path))).toBe(0);
    const { tensors, metadata } = decodeSafetensors('memory', bytes);
    expect(metadata).toEqual(new Map([['kind', 'test']]));
    expect(tensors.get('whole')).toEqual({ dtype: 'F32', shape: [1, 2], data: Float32Array.of(0.1, 3) });
    // 0.1 is 0x3dcccccd in float32.
    expect(tensors.get('half')?.data).toEqual(Uint16Array.of(0x3f80, 0xc000, 0x3dcd));
    expect(tensors.size).toBe(3);
  });

  it('are refused when they are too short for a header', () => {
    for (const length of [0, 7, 8]) {
      expect(() => decodeSafetensors('memory', new Uint8Array(length))).toThrow(/memory: the/);
    }
  });
});
