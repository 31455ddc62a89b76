/** The stub cuBLASLt: right products, and the refusals that a caller must not run into. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { StubDriver } from '../support/cuda/stub-driver.js';

/** Values from cuBLASLt's documentation. */
const F32 = 0;
const BF16 = 14;
const COMPUTE_32F = 68;
const COLUMN_ORDER = 0;
const ROW_ORDER = 1;
const EPILOGUE_BIAS = 4;
const INVALID_VALUE = 7;
const EXECUTION_FAILED = 13;
const NOT_SUPPORTED = 15;
const OPERATION = { transposeA: 3, transposeB: 4, epilogue: 7, bias: 8, biasType: 26 } as const;
const LAYOUT = { order: 1, batch: 5, batchStride: 6 } as const;
const RESULT_BYTES = 96;

const SET = ['uint64', 'int32', 'void *', 'uint64'];
const MATMUL = [
  'uint64',
  'uint64',
  'void *',
  ...['uint64', 'uint64', 'uint64', 'uint64'],
  'void *',
  ...['uint64', 'uint64', 'uint64', 'uint64'],
  'void *',
  ...['uint64', 'uint64', 'uint64'],
];

/** Not in a hook: the first build may take longer than hooks have. */
const cuda = await StubDriver.open();
let handle: number;

beforeAll(() => {
  expect(cuda.status('cublasLtCreate', ['void *'], Buffer.alloc(8))).toBe(1);
  cuda.start();
  handle = cuda.out('cublasLtCreate', []);
});

const i32 = (value: number) => new Int32Array([value]);
const i64 = (value: number) => new BigInt64Array([BigInt(value)]);

function set(kind: string, descriptor: number, attribute: number, value: Int32Array | BigInt64Array): number {
  return cuda.status(`cublasLt${kind}SetAttribute`, SET, descriptor, attribute, value, value.byteLength);
}

interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly leading?: number;
  readonly order?: number;
  readonly type?: number;
}

function layout(matrix: Matrix, batch = 1): number {
  const { rows, columns, order = COLUMN_ORDER, type = F32 } = matrix;
  const leading = matrix.leading ?? (order === COLUMN_ORDER ? rows : columns);
  const types = ['int32', 'uint64', 'uint64', 'int64'];
  const made = cuda.out('cublasLtMatrixLayoutCreate', types, type, rows, columns, leading);
  set('MatrixLayout', made, LAYOUT.order, i32(order));
  set('MatrixLayout', made, LAYOUT.batch, i32(batch));
  set('MatrixLayout', made, LAYOUT.batchStride, i64(leading * (order === COLUMN_ORDER ? columns : rows)));
  return made;
}

function operation(transposeA = false, transposeB = false): number {
  const made = cuda.out('cublasLtMatmulDescCreate', ['int32', 'int32'], COMPUTE_32F, F32);
  set('MatmulDesc', made, OPERATION.transposeA, i32(Number(transposeA)));
  set('MatmulDesc', made, OPERATION.transposeB, i32(Number(transposeB)));
  return made;
}

interface Call {
  readonly operation: number;
  readonly layouts: readonly [number, number, number];
  readonly data: readonly [number, number, number];
  readonly beta?: number;
  readonly algorithm?: Buffer;
}

function matmul({ operation: op, layouts: [a, b, c], data, beta = 0, algorithm }: Call): number {
  const [one, two] = [new Float32Array([0.5]), new Float32Array([beta])];
  const chosen = algorithm ?? null;
  const [pa, pb, pc] = data;
  return cuda.status('cublasLtMatmul', MATMUL, handle, op, one, pa, a, pb, b, two, pc, c, pc, c, chosen, 0, 0, 0);
}

function heuristic(op: number, [a, b, c]: readonly [number, number, number]): { status: number; result: Buffer } {
  const preference = cuda.out('cublasLtMatmulPreferenceCreate', []);
  const result = Buffer.alloc(RESULT_BYTES);
  const types = [...Array<string>(7).fill('uint64'), 'int32', 'void *', 'void *'];
  const values = [handle, op, a, b, c, c, preference, 1, result, Buffer.alloc(4)];
  return { status: cuda.status('cublasLtMatmulAlgoGetHeuristic', types, ...values), result };
}

const rng = new Rng(3, 'cublaslt');
const normals = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
const reason = () => cuda.control.lastFailure();

describe('the stub cuBLASLt', () => {
  const [m, n, k, batch] = [5, 7, 9, 3];
  it.each([
    [false, false, COLUMN_ORDER],
    [true, false, COLUMN_ORDER],
    [false, true, COLUMN_ORDER],
    [true, true, ROW_ORDER],
  ])('multiplies with transposes %s and %s in order %i, with padding, batch and beta', (ta, tb, order) => {
    const sizes = { a: ta ? [k, m] : [m, k], b: tb ? [n, k] : [k, n], c: [m, n] };
    const matrix = ([rows = 0, columns = 0]: number[]): Matrix & { leading: number } => ({
      rows,
      columns,
      order,
      leading: (order === COLUMN_ORDER ? rows : columns) + 2,
    });
    const [a, b, c] = [matrix(sizes.a), matrix(sizes.b), matrix(sizes.c)];
    const elements = (one: Matrix & { leading: number }) =>
      one.leading * (order === COLUMN_ORDER ? one.columns : one.rows);
    const values = [a, b, c].map((one) => normals(batch * elements(one)));
    const [va, vb, vc] = values;
    if (va === undefined || vb === undefined || vc === undefined) throw new Error('three matrices');
    const at = (one: Matrix & { leading: number }, item: number, i: number, j: number) =>
      item * elements(one) + (order === COLUMN_ORDER ? j * one.leading + i : i * one.leading + j);
    const want = vc.slice();
    for (let item = 0; item < batch; item++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++) {
            const left = va[ta ? at(a, item, l, i) : at(a, item, i, l)] ?? 0;
            sum += left * (vb[tb ? at(b, item, j, l) : at(b, item, l, j)] ?? 0);
          }
          want[at(c, item, i, j)] = 0.5 * sum + 2 * (vc[at(c, item, i, j)] ?? 0);
        }
    const data = [cuda.put(va), cuda.put(vb), cuda.put(vc)] as const;
    const layouts = [layout(a, batch), layout(b, batch), layout(c, batch)] as const;
    const op = operation(ta, tb);
    const { status, result } = heuristic(op, layouts);
    expect(status).toBe(0);
    expect(matmul({ operation: op, layouts, data, beta: 2, algorithm: result.subarray(0, 64) })).toBe(0);
    const got = cuda.read(data[2], new Float32Array(vc.length));
    const errors = Array.from(got, (value, i) => Math.abs(value - (want[i] ?? 0)));
    // Sums of 9 products of normal numbers in f32 against f64: measured 4.8e-7.
    expect(Math.max(...errors)).toBeLessThan(2e-6);
  });

  it('adds a bias of the rows of D and rounds to bf16', () => {
    const half = (value: number) => new Uint16Array(new Float32Array([value]).buffer)[1] ?? 0;
    const op = operation();
    const bias = cuda.put(Uint16Array.from([half(1), half(2)]));
    set('MatmulDesc', op, OPERATION.epilogue, i32(EPILOGUE_BIAS));
    set('MatmulDesc', op, OPERATION.bias, i64(bias));
    const type = BF16;
    const layouts = [
      layout({ rows: 2, columns: 1, type }),
      layout({ rows: 1, columns: 3, type }),
      layout({ rows: 2, columns: 3, type }),
    ] as const;
    const a = cuda.put(Uint16Array.from([half(2), half(4)]));
    const b = cuda.put(Uint16Array.from([half(1), half(0), half(-3)]));
    const c = cuda.alloc(12);
    expect(matmul({ operation: op, layouts, data: [a, b, c] })).toBe(0);
    const want = [2, 4, 1, 2, -2, -4].map(half);
    expect([...cuda.read(c, new Uint16Array(6))]).toEqual(want);
    set('MatmulDesc', op, OPERATION.biasType, i32(F32));
    expect(heuristic(op, layouts).status).toBe(NOT_SUPPORTED);
  });

  it('refuses what the library refuses', () => {
    const op = operation();
    expect(set('MatmulDesc', op, 99, i32(0))).toBe(INVALID_VALUE);
    expect(reason()).toContain('no attribute 99');
    expect(set('MatmulDesc', op, OPERATION.bias, i32(0))).toBe(INVALID_VALUE);
    expect(reason()).toContain('takes 8 bytes, got 4');
    const square = layout({ rows: 4, columns: 4 });
    const data = [cuda.alloc(64), cuda.alloc(64), cuda.alloc(64)] as const;
    const status = (layouts: readonly [number, number, number], other: Partial<Call> = {}) =>
      matmul({ operation: op, layouts, data, ...other });
    expect(status([layout({ rows: 4, columns: 4, leading: 3 }), square, square])).toBe(INVALID_VALUE);
    expect(reason()).toContain('leading dimension 3');
    expect(status([layout({ rows: 4, columns: 5 }), square, square])).toBe(INVALID_VALUE);
    expect(status([square, square, layout({ rows: 4, columns: 4, type: BF16 })])).toBe(NOT_SUPPORTED);
    expect(status([square, square, layout({ rows: 4, columns: 4 }, 2)])).toBe(INVALID_VALUE);
    const [a, b, c] = data;
    expect(status([square, square, square], { data: [a + 2, b, c] })).toBe(EXECUTION_FAILED);
    expect(reason()).toContain('passes the end');
    // The heuristic was not told of pointers that are aligned to 4 bytes only.
    const room = cuda.alloc(256);
    const algorithm = heuristic(op, [square, square, square]).result.subarray(0, 64);
    expect(status([square, square, square], { data: [room + 4, b, c], algorithm })).toBe(INVALID_VALUE);
    expect(reason()).toContain('not aligned to the 16 bytes');
    cuda.free(c);
    expect(status([square, square, square])).toBe(EXECUTION_FAILED);
    const types = ['uint64'];
    cuda.call('cublasLtMatrixLayoutDestroy', types, square);
    expect(status([square, square, square])).toBe(INVALID_VALUE);
  });
});
