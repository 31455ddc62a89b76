/** Row-major matrices as flat float32 arrays. */
import type { Rows } from './lora-names.js';

/** The rows of `matrix` [., width] that `ranges` name, one range below the other. */
export function takeRows(matrix: Float32Array, width: number, ranges: readonly Rows[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(ranges.reduce((sum, { count }) => sum + count, 0) * width);
  let at = 0;
  for (const { start, count } of ranges) {
    out.set(matrix.subarray(start * width, (start + count) * width), at);
    at += count * width;
  }
  return out;
}

/**
 * Writes the rows of `block` [., blockWidth] into `matrix` [., width]: in order to the rows that `ranges` name, and there
 * from `column` on.
 */
export function putRows(
  matrix: Float32Array,
  width: number,
  ranges: readonly Rows[],
  block: { readonly values: Float32Array; readonly width: number; readonly column: number },
): void {
  let row = 0;
  for (const { start, count } of ranges) {
    for (let i = 0; i < count; i++, row++) {
      const values = block.values.subarray(row * block.width, (row + 1) * block.width);
      matrix.set(values, (start + i) * width + block.column);
    }
  }
}

/**
 * weight + scale * B A, row by row: summed in double precision and rounded once to float32.
 *
 * @param weight [O, I], changed in place
 * @param b [O, R]
 * @param a [R, I]
 */
export function addLowRank(weight: Float32Array, b: Float32Array, a: Float32Array, rank: number, scale: number): void {
  const inputs = a.length / rank;
  const sum = new Float64Array(inputs);
  for (let o = 0; o * inputs < weight.length; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    sum.set(row);
    for (let r = 0; r < rank; r++) {
      const factor = scale * (b[o * rank + r] ?? 0);
      if (factor === 0) continue;
      for (let i = 0; i < inputs; i++) sum[i] = (sum[i] ?? 0) + factor * (a[r * inputs + i] ?? 0);
    }
    row.set(sum);
  }
}
