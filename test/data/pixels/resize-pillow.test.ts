import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FILTERS, type Filter } from '../../../src/data/pixels/resample-weights.js';
import { resizePillow } from '../../../src/data/pixels/resize-pillow.js';
import type { RgbImage } from '../../../src/data/pixels/rgb-image.js';
import { picture, sha256 } from './picture.js';
import pillow12 from './pillow-12.json' with { type: 'json' };
import pillow13 from './pillow-13.json' with { type: 'json' };

type Case = [number, number, number, number, Filter];

function readCase(row: readonly (number | string)[]): Case {
  const filter = FILTERS.find((name) => name === row[4]);
  if (filter === undefined) throw new Error(`no filter in ${row.join(' ')}`);
  const [a = 0, b = 0, c = 0, d = 0] = row.map(Number);
  return [a, b, c, d, filter];
}

/** A sum over all input samples in real numbers, rounded between the passes as bytes are. */
function plainResize(image: RgbImage, width: number, height: number, filter: Filter): number[] {
  const kernel = (x: number): number => {
    const d = Math.abs(x);
    if (filter === 'area') return x > -0.5 && x <= 0.5 ? 1 : 0;
    if (filter === 'bilinear') return Math.max(0, 1 - d);
    return d < 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
  };
  const axis = (samples: readonly number[], size: number): number[] =>
    Array.from({ length: size }, (_, i) => {
      const scale = samples.length / size;
      const weights = samples.map((_sample, k) => kernel((k + 0.5 - (i + 0.5) * scale) / Math.max(1, scale)));
      const total = weights.reduce((a, b) => a + b, 0);
      const value = samples.reduce((sum, sample, k) => sum + (sample * (weights[k] ?? 0)) / total, 0);
      return Math.min(255, Math.max(0, Math.floor(value + 0.5)));
    });
  const at = (x: number, y: number, c: number) => image.data[(y * image.width + x) * 3 + c] ?? 0;
  const out = new Array<number>(width * height * 3);
  for (let c = 0; c < 3; c++) {
    const rows = Array.from({ length: image.height }, (_, y) => {
      const row = Array.from({ length: image.width }, (_x, x) => at(x, y, c));
      return width === image.width ? row : axis(row, width);
    });
    for (let x = 0; x < width; x++) {
      const column = rows.map((row) => row[x] ?? 0);
      const resized = height === image.height ? column : axis(column, height);
      for (const [y, value] of resized.entries()) out[(y * width + x) * 3 + c] = value;
    }
  }
  return out;
}

describe('resizePillow', () => {
  it.each([
    [12, pillow12],
    [13, pillow13],
  ] as const)("equals Pillow %i's bytes: down, up, one axis, single pixels, every filter", (pillow, goldens) => {
    expect(goldens.versions.pillow).toMatch(new RegExp(`^${pillow}\\.`));
    for (const { case: row, sha256: expected } of goldens.resized) {
      const [inWidth, inHeight, width, height, filter] = readCase(row);
      const { data } = resizePillow(picture(inWidth, inHeight), width, height, filter, { pillow });
      expect(sha256(data), row.join(' ')).toBe(expected);
    }
    for (const { case: row, input, output } of goldens.tiny) {
      const [inWidth, inHeight, width, height, filter] = readCase(row);
      const image = picture(inWidth, inHeight);
      expect([...image.data]).toEqual(input);
      expect([...resizePillow(image, width, height, filter, { pillow }).data]).toEqual(output);
    }
  });

  it('is the sum over the kernel in real numbers, rounded', () => {
    const size = fc.integer({ min: 1, max: 24 });
    let off = 0;
    let values = 0;
    fc.assert(
      fc.property(size, size, size, size, fc.constantFrom(...FILTERS), (inWidth, inHeight, width, height, filter) => {
        const image = picture(inWidth, inHeight);
        const { data } = resizePillow(image, width, height, filter);
        const plain = plainResize(image, width, height, filter);
        expect(data).toHaveLength(plain.length);
        for (const [i, value] of plain.entries()) {
          const difference = Math.abs((data[i] ?? Number.NaN) - value);
          // A sum at a half to 22 bits may round the other way, and the second pass carries that on.
          expect(difference).toBeLessThanOrEqual(1);
          off += difference;
          values++;
        }
      }),
      { numRuns: 60, seed: 5 },
    );
    // Measured 0.005: small whole ratios make many exact halves.
    expect(off / values).toBeLessThan(0.01);
  });

  it('computes a window as it would be cut out of the whole', () => {
    const image = picture(37, 23);
    const window = { left: 3, top: 2, width: 7, height: 8 };
    for (const filter of FILTERS) {
      for (const [width, height, pillow] of [
        [90, 11, 12],
        [90, 11, 13],
        [37, 23, 12],
        [37, 12, 13],
        [12, 60, 12],
      ] as const) {
        const whole = resizePillow(image, width, height, filter, { pillow });
        const part = resizePillow(image, width, height, filter, { window, pillow });
        for (let y = 0; y < window.height; y++) {
          const start = ((y + window.top) * width + window.left) * 3;
          const line = part.data.subarray(y * window.width * 3, (y + 1) * window.width * 3);
          expect([...line]).toEqual([...whole.data.subarray(start, start + window.width * 3)]);
        }
      }
    }
  });

  it('leaves the picture alone when nothing changes, and never writes into it', () => {
    const image = picture(9, 8);
    const before = Uint8Array.from(image.data);
    expect(resizePillow(image, 9, 8, 'bicubic')).toBe(image);
    resizePillow(image, 20, 3, 'bicubic');
    expect(image.data).toEqual(before);
  });

  it('refuses sizes that are no sizes', () => {
    expect(() => resizePillow(picture(4, 4), 0, 5, 'bicubic')).toThrow('width must be a positive integer, got 0');
    expect(() => resizePillow({ data: new Uint8Array(0), width: 4, height: 0 }, 5, 5, 'area')).toThrow('inHeight');
  });
});
