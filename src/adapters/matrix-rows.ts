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
  const groups = Array.from({ length: Math.ceil(rank / GROUP) }, (_, group) => rowsOf(a, inputs, group * GROUP));
  for (let o = 0; o * inputs < weight.length; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    sum.set(row);
    for (const [group, rows] of groups.entries()) {
      const factor = (k: number) => (group * GROUP + k < rank ? scale * (b[o * rank + group * GROUP + k] ?? 0) : 0);
      addGroup(sum, rows, [factor(0), factor(1), factor(2), factor(3)]);
    }
    row.set(sum);
  }
}

/** Rows of A taken at once: each of them alone would read and write the sums anew. */
const GROUP = 4;
type Four<T> = readonly [T, T, T, T];

/** Rows from `first` on in double precision; zeros beyond the last. */
function rowsOf(a: Float32Array, inputs: number, first: number): Four<Float64Array> {
  const row = (k: number) => {
    const values = new Float64Array(inputs);
    values.set(a.subarray((first + k) * inputs, (first + k + 1) * inputs));
    return values;
  };
  return [row(0), row(1), row(2), row(3)];
}

/** The loop that a merge spends its time in; indices stay below the arrays' common length. */
function addGroup(sum: Float64Array, [a0, a1, a2, a3]: Four<Float64Array>, [f0, f1, f2, f3]: Four<number>): void {
  for (let i = 0; i < sum.length; i++) {
    const update = f0 * (a0[i] as number) + f1 * (a1[i] as number) + f2 * (a2[i] as number) + f3 * (a3[i] as number);
    sum[i] = (sum[i] as number) + update;
  }
}
