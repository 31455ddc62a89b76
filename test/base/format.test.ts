import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration, formatFlops } from '../../src/base/format.js';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [123_456_789, '118 MiB'],
    [16 * 2 ** 30, '16 GiB'],
    [2.25 * 2 ** 40, '2.25 TiB'],
    [-2048, '-2 KiB'],
  ])('writes %d bytes in binary units as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('formatFlops', () => {
  it.each([
    [0, '0 FLOP'],
    [999, '999 FLOP'],
    [7_340_032, '7.34 MFLOP'],
    [878.2e9, '878.2 GFLOP'],
    [442.5e12, '442.5 TFLOP'],
    [3e19, '30000 PFLOP'],
  ])('writes %d operations as %s', (flops, text) => {
    expect(formatFlops(flops)).toBe(text);
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [0.45, '450 ms'],
    [0.9996, '1.0 s'],
    [7.24, '7.2 s'],
    [59.96, '1 min 00 s'],
    [185, '3 min 05 s'],
    [3599.6, '1 h 00 min'],
    [7620, '2 h 07 min'],
    [3 * 3600 + 4 * 86400, '4 d 03 h'],
    [Number.NaN, '?'],
    [Number.POSITIVE_INFINITY, '?'],
    [-1, '?'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
