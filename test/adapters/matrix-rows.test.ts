import { describe, expect, it } from 'vitest';
import { addLowRank, putRows, takeRows } from '../../src/adapters/matrix-rows.js';
import { Rng } from '../../src/base/rng.js';

describe('matrices by rows', () => {
  const rng = new Rng(3, 'matrix rows');
  const random = (count: number) => Float32Array.from({ length: count }, () => rng.normal());

  it.each([1, 3, 4, 5, 16])('add scale B A of rank %i as the sum over ranks does', (rank) => {
    const [outputs, inputs, scale] = [5, 7, 2.5];
    const [weight, b, a] = [random(outputs * inputs), random(outputs * rank), random(rank * inputs)];
    const expected = weight.map((value, i) => {
      const [o, column] = [Math.floor(i / inputs), i % inputs];
      let update = 0;
      for (let r = 0; r < rank; r++) update += (b[o * rank + r] ?? 0) * (a[r * inputs + column] ?? 0);
      return value + scale * update;
    });
    addLowRank(weight, b, a, rank, scale);
    // One rounding to float32 of values of about 10.
    for (const [i, value] of weight.entries()) expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(1e-6);
  });

  it('take and put back rows, in the order of the ranges', () => {
    const matrix = Float32Array.from({ length: 12 }, (_, i) => i);
    const ranges = [
      { start: 4, count: 2 },
      { start: 1, count: 1 },
    ];
    const taken = takeRows(matrix, 2, ranges);
    expect(Array.from(taken)).toEqual([8, 9, 10, 11, 2, 3]);
    const wide = new Float32Array(18);
    putRows(wide, 3, ranges, { values: taken, width: 2, column: 1 });
    expect(Array.from(wide)).toEqual([0, 0, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 8, 9, 0, 10, 11]);
  });
});
