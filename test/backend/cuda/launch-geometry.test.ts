import { describe, expect, it } from 'vitest';
import type { DeviceProperties } from '../../../src/backend/cuda/context.js';
import { geometry, rowBlock, workRule } from '../../../src/backend/cuda/launch-geometry.js';
import { parseSignatures } from '../../../src/backend/signatures.js';

const A100: DeviceProperties = {
  name: 'A100',
  sm: 80,
  capabilityMajor: 8,
  capabilityMinor: 0,
  multiprocessors: 108,
  threadsPerMultiprocessor: 2048,
  clockKHz: 1,
  memoryClockKHz: 1,
  memoryBusBits: 1,
  l2Bytes: 1,
  sharedBytesPerMultiprocessor: 1,
  sharedBytesPerBlock: 1,
  totalBytes: 1,
  bytesPerSecond: 1,
};

function ruleOf(source: string) {
  const [signature] = parseSignatures(source);
  if (signature === undefined) throw new TypeError('no kernel in the source');
  return workRule(signature);
}

describe('the launch of an element kernel', () => {
  const rule = ruleOf('KERNEL f(const float* x, i64 n, float a) {');

  it('has a thread an element', () => {
    expect(geometry(rule, [0, 257, 1], A100)).toEqual({ grid: 2, block: 256 });
    expect(geometry(rule, [0, 256, 1], A100)).toEqual({ grid: 1, block: 256 });
  });

  it('has one block when there is nothing to do, and a full GPU a few times over at most', () => {
    expect(geometry(rule, [0, 0, 1], A100).grid).toBe(1);
    expect(geometry(rule, [0, 2 ** 33, 1], A100).grid).toBe(4 * 108 * 8);
  });
});

describe('the launch of a row kernel', () => {
  const rule = ruleOf('KERNEL f(const float* x, i64 rows, i64 n, i64 cols) {');

  it('has a block a row, as wide as the row asks for', () => {
    expect(geometry(rule, [0, 100, 5, 4096], A100)).toEqual({ grid: 100, block: 512 });
  });

  it('takes whole warps: 32 to 1024 threads', () => {
    expect([1, 32, 33, 512, 1000, 4096, 8192, 1e6].map(rowBlock)).toEqual([32, 32, 64, 64, 128, 512, 1024, 1024]);
  });

  it('depends on the length of the row, never on how many there are', () => {
    const blocks = [1, 7, 1e6].map((rows) => geometry(rule, [0, rows, 5, 640], A100).block);
    expect(new Set(blocks)).toEqual(new Set([96]));
  });

  it('is explicit where a kernel counts neither elements nor rows', () => {
    expect(ruleOf('KERNEL f(const float* x, int queries) {').kind).toBe('explicit');
  });
});
