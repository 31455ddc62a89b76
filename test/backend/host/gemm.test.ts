import { afterEach, describe, expect, it } from 'vitest';
import type { FloatStorage, GemmProblem } from '../../../src/backend/device.js';
import { at } from '../../support/host-tensor.js';
import { erf } from '../../support/op-references.js';
import { Buffers, device, randomValues, readValues, rounded } from './host-memory.js';

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch?: number;
  readonly bias?: boolean;
  readonly accumulate?: boolean;
  readonly gelu?: boolean;
  readonly scale?: number;
  /** One B for all items. */
  readonly sharedB?: boolean;
}

/** Rows around the tile (12, 6, 4) and the limit of few rows, columns around 16 and 32, depth odd and around its blocks. */
const CASES: readonly Case[] = [
  { m: 0, n: 3, k: 4 },
  { m: 3, n: 0, k: 4 },
  { m: 3, n: 4, k: 0, bias: true, gelu: true },
  { m: 2, n: 3, k: 0, accumulate: true },
  { m: 1, n: 1, k: 1 },
  { m: 1, n: 33, k: 5, bias: true },
  { m: 5, n: 1, k: 7 },
  { m: 300, n: 1, k: 77, scale: -0.5, gelu: true },
  { m: 2, n: 3, k: 4, accumulate: true },
  { m: 3, n: 18, k: 63, gelu: true },
  { m: 4, n: 130, k: 65, bias: true, gelu: true },
  { m: 6, n: 50, k: 1025, bias: true, accumulate: true },
  { m: 8, n: 37, k: 2050, scale: 0.25 },
  { m: 12, n: 32, k: 16 },
  { m: 12, n: 70, k: 1100, gelu: true, bias: true },
  { m: 13, n: 33, k: 17, bias: true },
  { m: 11, n: 31, k: 15, accumulate: true },
  { m: 24, n: 16, k: 1, gelu: true },
  { m: 7, n: 48, k: 3, scale: 2 },
  { m: 17, n: 17, k: 24, batch: 3 },
  { m: 17, n: 130, k: 25, batch: 2, sharedB: true, bias: true },
  { m: 37, n: 65, k: 520, gelu: true, bias: true },
  { m: 37, n: 65, k: 513, accumulate: true, scale: 0.125, bias: true, gelu: true },
  { m: 50, n: 40, k: 1027 },
  { m: 50, n: 200, k: 259, accumulate: true },
  { m: 250, n: 70, k: 30, bias: true, gelu: true },
  { m: 3, n: 1100, k: 9, gelu: true },
  { m: 30, n: 1100, k: 9, bias: true },
  { m: 500, n: 24, k: 33, scale: 3, accumulate: true },
  { m: 1, n: 200, k: 300, batch: 4 },
  { m: 1000, n: 40, k: 12, gelu: true },
  { m: 97, n: 161, k: 129, bias: true, accumulate: true, gelu: true, scale: -1 },
];

/** Beyond 8 it is 0 or x to double precision, and the series would overflow. */
const gelu = (x: number) => (Math.abs(x) > 8 ? Math.max(x, 0) : (x * (1 + erf(x * Math.SQRT1_2))) / 2);

const buffers = new Buffers();
const nameOf = (c: Case) =>
  [
    `${c.batch === undefined ? '' : `${c.batch} x `}[${c.m}, ${c.k}] x [${c.k}, ${c.n}]`,
    ...(['bias', 'accumulate', 'gelu', 'sharedB'] as const).filter((key) => c[key]),
    ...(c.scale === undefined ? [] : [`scale ${c.scale}`]),
  ].join(', ');

/** The operands as op(A) [batch, m, k] and op(B) [batch, k, n], and what the product is, before rounding. */
interface Product {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly bias: Float64Array;
  readonly before: Float64Array;
  readonly want: Float64Array;
  /** Sums of the terms' sizes, which bound what a sum in fp32 may lose. */
  readonly sizes: Float64Array;
}

function productOf(c: Case, storage: FloatStorage): Product {
  const { m, n, k, batch = 1, scale = 1 } = c;
  const a = randomValues('a', batch * m * k, storage);
  const b = randomValues('b', (c.sharedB ? 1 : batch) * k * n, storage);
  const bias = randomValues('bias', n, 'f32');
  const before = randomValues('c', batch * m * n, 'bf16');
  const [want, sizes] = [new Float64Array(batch * m * n), new Float64Array(batch * m * n)];
  for (let item = 0; item < batch; item++) {
    for (let row = 0; row < m; row++) {
      for (let col = 0; col < n; col++) {
        const index = (item * m + row) * n + col;
        const [startA, startB] = [(item * m + row) * k, c.sharedB ? col : item * k * n + col];
        let sum = (c.bias ? at(bias, col) : 0) + (c.accumulate ? at(before, index) : 0);
        let size = Math.abs(sum) + 1e-30;
        for (let i = 0; i < k; i++) {
          const term = scale * (a[startA + i] ?? 0) * (b[startB + i * n] ?? 0);
          sum += term;
          size += Math.abs(term);
        }
        want[index] = c.gelu ? gelu(sum) : sum;
        sizes[index] = size;
      }
    }
  }
  return { a, b, bias, before, want, sizes };
}

/** Each [rows, cols] matrix of a batch as [cols, rows]. */
function transposed(values: Float64Array, rows: number, cols: number): Float64Array {
  const size = rows * cols;
  return values.map((_, i) => {
    const within = i % size;
    return at(values, i - within + (within % rows) * cols + Math.floor(within / rows));
  });
}

/** Largest error of one product, of the sizes' sums; the one rounding of the result is the storage's own. */
function worstError({ want, sizes }: Product, got: Float64Array, storage: FloatStorage): number {
  let worst = 0;
  want.forEach((value, i) => {
    const spent = Math.abs(rounded(value, storage) - value);
    const error = (Math.abs(at(got, i) - value) - spent) / at(sizes, i);
    worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  });
  return worst;
}

interface Way {
  readonly storage: FloatStorage;
  readonly resultStorage: FloatStorage;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

function run(c: Case, { a, b, bias, before }: Product, way: Way): Float64Array {
  const { m, n, k, batch = 1 } = c;
  const { storage, resultStorage, transposeA, transposeB } = way;
  const results = batch * m * n;
  const problem: GemmProblem = {
    ...{ ...way, m, n, k, batch, strideA: m * k, strideB: c.sharedB ? 0 : k * n, strideC: m * n },
    a: buffers.of(transposeA ? transposed(a, m, k) : a, storage),
    b: buffers.of(transposeB ? transposed(b, k, n) : b, storage),
    c: c.accumulate ? buffers.of(before, resultStorage) : buffers.empty(results, resultStorage),
    ...{ scale: c.scale ?? 1, accumulate: c.accumulate ?? false, bias: c.bias ? buffers.of(bias, 'f32') : 0 },
    activation: c.gelu ? 'gelu' : 'none',
  };
  device.gemm(problem);
  const values = readValues(problem.c, results, resultStorage);
  buffers.free();
  return values;
}

// Measured, of the sum of the terms' sizes: 2.4e-7 for f32, 1.5e-7 for bf16.
const TOLERANCE = 5e-7;

describe('the host matrix product', () => {
  afterEach(() => buffers.free());

  for (const storage of ['f32', 'bf16'] as const) {
    it.each(CASES.map((c) => [nameOf(c), c] as const))(`of ${storage}: %s`, (_, c) => {
      const product = productOf(c, storage);
      for (const resultStorage of ['f32', 'bf16'] as const) {
        for (const transposeA of [false, true]) {
          for (const transposeB of [false, true]) {
            const way: Way = { storage, resultStorage, transposeA, transposeB };
            expect(worstError(product, run(c, product, way), resultStorage), JSON.stringify(way)).toBeLessThan(
              TOLERANCE,
            );
          }
        }
      }
    });
  }

  it.each(['f32', 'bf16'] as const)('of %s: gives the same bits with any number of threads', (storage) => {
    for (const c of [
      { m: 150, n: 170, k: 300 },
      { m: 5, n: 1500, k: 700 },
    ]) {
      const product = productOf(c, storage);
      for (const transposeB of [false, true]) {
        const way: Way = { storage, resultStorage: storage, transposeA: false, transposeB };
        device.useThreads(1);
        const alone = run(c, product, way);
        for (const threads of [2, 3, 8]) {
          device.useThreads(threads);
          expect(run(c, product, way)).toEqual(alone);
        }
      }
    }
    device.useThreads(2);
  });
});
