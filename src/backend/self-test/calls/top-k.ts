/** The k largest of each row. */
import {
  given,
  integers,
  type KernelBuffer,
  type KernelCall,
  normals,
  result,
  resultInts,
  type Values,
} from '../kernel-call.js';
import { at, fillRows } from './math.js';
import type { Shapes } from './shapes.js';

function callOf(
  kernel: string,
  x: KernelBuffer,
  values: KernelBuffer,
  rows: number,
  cols: number,
  k: number,
): KernelCall {
  return {
    kernel,
    shape: `${k} of ${rows} x ${cols}`,
    args: [x, values, resultInts(rows * k), rows, cols, k],
    expected: (from: Values) => {
      const ranks = Array.from({ length: rows }, (_, r) =>
        Array.from({ length: cols }, (_, c) => c).sort(
          (a, b) => at(from, r * cols + b) - at(from, r * cols + a) || a - b,
        ),
      );
      return [
        fillRows(rows, k, (r, i) => at(from, r * cols + (ranks[r]?.[i] ?? 0))),
        fillRows(rows, k, (r, i) => ranks[r]?.[i] ?? 0),
      ];
    },
    tolerance: 0,
  };
}

export function topKCalls({ rows }: Shapes): KernelCall[] {
  return rows
    .map(([r, c]) => [Math.min(r, 300), Math.min(c, 20_000)] as const)
    .flatMap(([r, c]) => {
      const k = Math.min(5, c);
      return [
        callOf('top_k', given(normals(r * c)), result(r * k), r, c, k),
        callOf('top_k_int', given(integers(r * c, -9, 9)), resultInts(r * k), r, c, k),
      ];
    });
}
