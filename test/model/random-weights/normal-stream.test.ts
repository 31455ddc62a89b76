import { describe, expect, it } from 'vitest';
import { normalQuantile } from '../../../src/model/random-weights/normal-quantile.js';
import { fillNormals, quantileTable, streamKey } from '../../../src/model/random-weights/normal-stream.js';
import { float32ToBfloat16 } from '../../../src/model/weights/half.js';

const STANDARD = { mean: 0, std: 1 };

function draw(name: string, count: number, start = 0, seed = 0): Float32Array {
  const out = new Float32Array(count);
  fillNormals(out, quantileTable(STANDARD, 'F32'), streamKey(seed, name), start);
  return out;
}

/** Probability below x, from the series of the error function: slow and obvious. */
function normalCdf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / (2 * n);
    sum += term / (2 * n + 1);
  }
  return 0.5 + sum / Math.sqrt(2 * Math.PI);
}

describe('normalQuantile', () => {
  it('undoes the cumulative distribution', () => {
    // Measured: 2e-12 at worst, where the alternating series loses digits.
    for (const p of [1e-5, 1e-3, 0.05, 0.3, 0.5, 0.62, 0.93, 0.9999]) {
      expect(Math.abs(normalCdf(normalQuantile(p)) - p)).toBeLessThan(1e-10);
    }
  });
});

describe('fillNormals', () => {
  it('gives an element the same value in whatever piece it is drawn', () => {
    const whole = draw('w', 1001);
    for (const [start, count] of [
      [0, 7],
      [1, 6],
      [333, 500],
      [500, 501],
      [1000, 1],
    ] as const) {
      expect(draw('w', count, start)).toEqual(whole.slice(start, start + count));
    }
  });

  it('has mean 0, deviation 1 and tails like a normal distribution', () => {
    const count = 2 ** 20;
    const values = draw('w', count);
    const mean = values.reduce((sum, x) => sum + x, 0) / count;
    const variance = values.reduce((sum, x) => sum + x * x, 0) / count;
    const beyondTwo = values.filter((x) => Math.abs(x) > 2).length / count;
    // Four standard errors: 1 / 1024, sqrt(2) / 1024, sqrt(0.0455 * 0.9545) / 1024.
    expect(Math.abs(mean)).toBeLessThan(4 / 1024);
    expect(Math.abs(variance - 1)).toBeLessThan((4 * Math.SQRT2) / 1024);
    expect(Math.abs(beyondTwo - 0.0455)).toBeLessThan((4 * 0.2084) / 1024);
  });

  it.each([
    ['neighbours', 1],
    ['the next row', 4096],
  ])('does not correlate %s', (_, lag) => {
    const values = draw('w', 2 ** 20);
    let sum = 0;
    for (let i = 0; i + lag < values.length; i++) sum += (values[i] ?? 0) * (values[i + lag] ?? 0);
    expect(Math.abs(sum / (values.length - lag))).toBeLessThan(4 / 1024);
  });

  it('gives every name and seed numbers of its own', () => {
    const base = draw('a', 2 ** 18);
    for (const other of [draw('b', 2 ** 18), draw('a', 2 ** 18, 0, 1)]) {
      const correlation = base.reduce((sum, x, i) => sum + x * (other[i] ?? 0), 0) / base.length;
      expect(Math.abs(correlation)).toBeLessThan(4 / 512);
    }
  });

  it('is in bf16 the rounded fp32', () => {
    const distribution = { mean: 1, std: 0.02 };
    const bits = new Uint16Array(999);
    const floats = new Float32Array(999);
    fillNormals(bits, quantileTable(distribution, 'BF16'), streamKey(3, 'w'), 5);
    fillNormals(floats, quantileTable(distribution, 'F32'), streamKey(3, 'w'), 5);
    expect(bits).toEqual(float32ToBfloat16(floats));
  });
});
