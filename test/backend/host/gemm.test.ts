import { afterAll, afterEach, describe, expect, it } from 'vitest';
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

interface Operands {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly bias: Float64Array;
  readonly before: Float64Array;
}

/** Largest error of one product, of the sum of its terms' sizes (which bounds what fp32 summation may lose). */
function worstError(problem: GemmProblem, { a, b, bias, before }: Operands, got: Float64Array): number {
  const { m, n, k, batch, strideA, strideB, transposeA, transposeB, scale, accumulate, activation } = problem;
  let worst = 0;
  for (let item = 0; item < batch; item++) {
    for (let row = 0; row < m; row++) {
      for (let col = 0; col < n; col++) {
        const index = (item * m + row) * n + col;
        const first = (problem.bias === 0 ? 0 : at(bias, col)) + (accumulate ? at(before, index) : 0);
        let [sum, size] = [first, Math.abs(first) + 1e-30];
        for (let i = 0; i < k; i++) {
          const x = at(a, item * strideA + (transposeA ? i * m + row : row * k + i));
          const term = scale * x * at(b, item * strideB + (transposeB ? col * k + i : i * n + col));
          sum += term;
          size += Math.abs(term);
        }
        const want = activation === 'gelu' ? gelu(sum) : sum;
        // One rounding of the result is the storage's own.
        const exact = rounded(want, problem.resultStorage);
        const value = at(got, index);
        const error = Math.max(0, Math.abs(value - want) - Math.abs(exact - want)) / size;
        worst = Math.max(worst, Number.isNaN(value) ? Number.POSITIVE_INFINITY : error);
      }
    }
  }
  return worst;
}

function runCase(c: Case, storage: FloatStorage, resultStorage: FloatStorage, transposes: [boolean, boolean]): number {
  const { m, n, k, batch = 1 } = c;
  const [transposeA, transposeB] = transposes;
  const operands: Operands = {
    a: randomValues('a', batch * m * k, storage),
    b: randomValues('b', (c.sharedB ? 1 : batch) * k * n, storage),
    bias: randomValues('bias', n, 'f32'),
    before: randomValues('c', batch * m * n, resultStorage),
  };
  const results = batch * m * n;
  const address = c.accumulate ? buffers.of(operands.before, resultStorage) : buffers.empty(results, resultStorage);
  const problem: GemmProblem = {
    ...{ storage, resultStorage, transposeA, transposeB, m, n, k, batch, strideC: m * n },
    ...{ a: buffers.of(operands.a, storage), b: buffers.of(operands.b, storage), c: address },
    ...{ strideA: m * k, strideB: c.sharedB ? 0 : k * n, scale: c.scale ?? 1, accumulate: c.accumulate ?? false },
    bias: c.bias ? buffers.of(operands.bias, 'f32') : 0,
    activation: c.gelu ? 'gelu' : 'none',
  };
  device.gemm(problem);
  return worstError(problem, operands, readValues(address, results, resultStorage));
}

// Measured, of the sum of the terms' sizes: 2.4e-7 for f32, 1.5e-7 for bf16.
const TOLERANCE = 5e-7;

describe('the host matrix product', () => {
  afterEach(() => buffers.free());
  afterAll(() => device.useThreads(2));

  for (const storage of ['f32', 'bf16'] as const) {
    for (const resultStorage of ['f32', 'bf16'] as const) {
      it.each(CASES.map((c) => [nameOf(c), c] as const))(`${storage} into ${resultStorage}: %s`, (_, c) => {
        for (const transposeA of [false, true]) {
          for (const transposeB of [false, true]) {
            const error = runCase(c, storage, resultStorage, [transposeA, transposeB]);
            expect(error, `A ${transposeA}, B ${transposeB} transposed`).toBeLessThan(TOLERANCE);
          }
        }
      });
    }
  }
});
