import { afterAll, describe, expect, it } from 'vitest';
import type { Device, GemmProblem } from '../../../src/backend/device.js';
import { normal, openCuda, openHost, putFloats, readFloats, stub, worstError } from './devices.js';

const cuda = await openCuda();
const host = await openHost();
afterAll(() => {
  cuda.dispose();
  host.dispose();
});

type Shape = Pick<GemmProblem, 'm' | 'n' | 'k'>;
type Options = Partial<GemmProblem> & { readonly bias?: number };

const PLAIN = {
  storage: 'f32',
  resultStorage: 'f32',
  transposeA: false,
  transposeB: false,
  bias: 0,
  scale: 1,
  accumulate: false,
  activation: 'none',
  batch: 1,
} as const;

/** The product on one device from numbers that depend on the sizes alone; `bias` here says whether there is one. */
function product(device: Device, { m, n, k }: Shape, options: Options): Float32Array {
  const p = { ...PLAIN, strideA: m * k, strideB: k * n, strideC: m * n, ...options };
  const sizeA = Math.max(p.strideA * (p.batch - 1) + m * k, 1);
  const sizeB = Math.max(p.strideB * (p.batch - 1) + k * n, 1);
  const sizeC = p.strideC * (p.batch - 1) + m * n;
  const a = putFloats(device, normal('a', sizeA), p.storage);
  const b = putFloats(device, normal('b', sizeB), p.storage);
  const c = putFloats(device, normal('c', sizeC), p.resultStorage);
  const bias = p.bias === 0 ? 0 : putFloats(device, normal('bias', n), 'f32');
  device.gemm({ ...p, m, n, k, a, b, c, bias });
  return readFloats(device, c, sizeC, p.resultStorage);
}

function expectSame(shape: Shape, options: Options, tolerance: number): void {
  const [got, want] = [product(cuda, shape, options), product(host, shape, options)];
  expect(worstError(got, want), JSON.stringify({ ...shape, ...options })).toBeLessThanOrEqual(tolerance);
}

/** fp32 sums of up to 70 products of normal numbers in another order: measured 1.6e-6. */
const FP32 = 5e-6;
/** One rounding to bf16 (2^-9) where the two sums fall on different sides: measured 4.9e-3. */
const BF16 = 8e-3;

describe('gemm on CUDA agrees with the host', () => {
  const shapes: Shape[] = [
    { m: 1, n: 1, k: 1 },
    { m: 3, n: 5, k: 7 },
    { m: 1, n: 33, k: 64 },
    { m: 17, n: 1, k: 70 },
    { m: 20, n: 24, k: 16 },
  ];

  it('for every transposition and odd sizes', () => {
    for (const shape of shapes) {
      for (const [transposeA, transposeB] of [
        [false, false],
        [false, true],
        [true, false],
        [true, true],
      ] as const) {
        expectSame(shape, { transposeA, transposeB }, FP32);
      }
    }
  });

  it('with bias, scale, accumulation and GELU in every combination that training uses', () => {
    const shape = { m: 6, n: 10, k: 12 };
    expectSame(shape, { transposeB: true, bias: 1 }, FP32);
    expectSame(shape, { scale: -0.25, accumulate: true }, FP32);
    expectSame(shape, { transposeB: true, bias: 1, accumulate: true, scale: 2 }, FP32);
    // GELU behind it is smooth: the same tolerance.
    expectSame(shape, { transposeB: true, bias: 1, activation: 'gelu' }, FP32);
  });

  it('in batches: dense, one operand for all, and with gaps between results', () => {
    const shape = { m: 4, n: 6, k: 5 };
    expectSame(shape, { batch: 3, transposeB: true }, FP32);
    expectSame(shape, { batch: 3, strideA: 0 }, FP32);
    expectSame(shape, { batch: 3, strideB: 0, accumulate: true }, FP32);
    expectSame(shape, { batch: 2, strideC: 30, activation: 'gelu' }, FP32);
  });

  it('over an empty inner dimension', () => {
    expectSame({ m: 3, n: 4, k: 0 }, { bias: 1 }, FP32);
    expectSame({ m: 3, n: 4, k: 0 }, { accumulate: true }, FP32);
    const before = stub.allocationCount();
    cuda.gemm({ ...PLAIN, m: 0, n: 4, k: 2, a: 0, b: 0, c: 0, strideA: 0, strideB: 0, strideC: 0 });
    expect(stub.allocationCount()).toBe(before);
  });

  it('in bf16 with fp32 sums, to bf16 and to fp32', () => {
    for (const shape of shapes) {
      expectSame(shape, { storage: 'bf16', resultStorage: 'bf16', transposeB: true }, BF16);
      expectSame(shape, { storage: 'bf16', transposeB: true }, FP32);
    }
    const shape = { m: 6, n: 10, k: 12 };
    expectSame(shape, { storage: 'bf16', bias: 1, accumulate: true }, FP32);
  });

  it('from fp32 to bf16, which cuBLASLt cannot do alone', () => {
    const shape = { m: 6, n: 10, k: 12 };
    expectSame(shape, { resultStorage: 'bf16' }, BF16);
    expectSame(shape, { resultStorage: 'bf16', accumulate: true, bias: 1 }, BF16);
  });

  it('rounds the bias of a bf16 product, and what GELU sees: three roundings', () => {
    const shape = { m: 6, n: 10, k: 12 };
    // Up to 3 x 2^-9 of the largest intermediate: measured 4.8e-3.
    expectSame(shape, { storage: 'bf16', resultStorage: 'bf16', bias: 1 }, 2 * BF16);
    expectSame(shape, { storage: 'bf16', resultStorage: 'bf16', bias: 1, activation: 'gelu' }, 2 * BF16);
  });
});

describe('gemm on CUDA', () => {
  it('counts its operations', () => {
    const before = cuda.stats();
    product(cuda, { m: 3, n: 5, k: 7 }, { batch: 2 });
    expect(cuda.stats().matmulFlops - before.matmulFlops).toBe(2 * 2 * 3 * 5 * 7);
  });

  it('takes unaligned operands: a view that starts at any element', () => {
    const values = normal('unaligned', 40);
    const base = putFloats(cuda, values, 'f32');
    const c = cuda.alloc(16);
    const p = { ...PLAIN, m: 2, n: 2, k: 3, strideA: 0, strideB: 0, strideC: 0 };
    cuda.gemm({ ...p, a: base + 4, b: base + 4 * 11, c });
    const at = (i: number) => values[i] ?? 0;
    const want = [0, 1].flatMap((i) =>
      [0, 1].map((j) => [0, 1, 2].reduce((sum, l) => sum + at(1 + 3 * i + l) * at(11 + 2 * l + j), 0)),
    );
    expect(worstError(readFloats(cuda, c, 4, 'f32'), want)).toBeLessThanOrEqual(FP32);
  });
});
