/** Matrix products of integers: exact. */
import { given, integers, type KernelCall, resultInts } from '../kernel-call.js';
import { at, fill, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

/** [2, m, k] x [k, n], with the second operand given transposed and shared. */
function callOf(m: number, n: number, k: number): KernelCall {
  return {
    kernel: 'matmul_int',
    shape: `2 x ${m} x ${n} x ${k}`,
    args: [
      ...[given(integers(2 * m * k, -9, 9)), given(integers(n * k, -9, 9)), resultInts(2 * m * n)],
      ...[2 * m, m, n, k, m * k, k, 1, 0, 1, k],
    ],
    expected: (a, b) => [
      fill(2 * m * n, (i) => {
        const [row, j] = [Math.floor(i / n), i % n];
        return sumOf(k, (l) => at(a, row * k + l) * at(b, j * k + l));
      }),
    ],
  };
}

export function integerMatmulCalls({ rows }: Shapes): KernelCall[] {
  return rows.map(([r, c]) => callOf(Math.min(r, 60), Math.min(c, 70), 33));
}
