/**
 * A call of every kernel that both devices share, for comparing them. Shapes are chosen so that rows outnumber blocks,
 * rows are shorter and longer than a block, and no size is a multiple of anything.
 */
import { Rng } from '../../../src/base/rng.js';

export type Argument =
  | { readonly kind: 'in' | 'out'; readonly as: 'stored' | 'f32' | 'i32'; readonly values: readonly number[] }
  | { readonly kind: 'table'; readonly words: (addressOf: (argument: number) => number) => readonly bigint[] }
  | number;

export interface KernelCase {
  readonly kernel: string;
  readonly what: string;
  readonly parameters: readonly Argument[];
}

const rng = new Rng(11, 'kernel-cases');

const normals = (n: number) => Array.from({ length: n }, () => Math.fround(rng.normal()));
const integers = (n: number, low: number, high: number) => Array.from({ length: n }, () => low + rng.int(high - low));

/** Normal values in the kernel's storage. */
const x = (n: number): Argument => ({ kind: 'in', as: 'stored', values: normals(n) });
const f32 = (values: readonly number[]): Argument => ({ kind: 'in', as: 'f32', values });
const f = (n: number): Argument => f32(normals(n));
const i32 = (values: readonly number[]): Argument => ({ kind: 'in', as: 'i32', values });
const i = (n: number, low: number, high: number): Argument => i32(integers(n, low, high));
/** What the kernel writes; NaN shows what it left out. */
const y = (n: number): Argument => ({ kind: 'out', as: 'stored', values: Array(n).fill(Number.NaN) });
const yf = (n: number): Argument => ({ kind: 'out', as: 'f32', values: Array(n).fill(Number.NaN) });
const yi = (n: number): Argument => ({ kind: 'out', as: 'i32', values: Array(n).fill(-77) });
const inOut = (as: 'stored' | 'f32' | 'i32', values: readonly number[]): Argument => ({ kind: 'out', as, values });

const cases: KernelCase[] = [];
function add(kernel: string, what: string, ...parameters: Argument[]): void {
  cases.push({ kernel, what, parameters });
}

for (const n of [0, 1, 1000]) {
  add('gelu', `${n}`, x(n), y(n), n);
  add('gelu_grad', `${n}`, x(n), x(n), y(n), n);
  add('swiglu', `${n}`, x(n), x(n), y(n), n);
  add('swiglu_grad', `${n}`, x(n), x(n), x(n), y(n), y(n), n);
  add('fill', `${n}`, y(n), n, 1.5);
  add('fill_int', `${n}`, yi(n), n, 3);
}
add('dropout', '1003', x(1003), y(1003), 250, 3, 12345, 2 ** 30, 4 / 3);
add('f32_to_bf16', '300', f(300), inOut('i32', Array(150).fill(0)), 300);
add('bf16_to_f32', '300', i(150, -(2 ** 30), 2 ** 30), yf(300), 300);
for (const [rows, cols] of [
  [5, 1],
  [9, 37],
  [4, 700],
  [0, 8],
] as const) {
  const [n, shape] = [rows * cols, `${rows}x${cols}`];
  const labels = i32(Array.from({ length: rows }, (_, r) => (r % 4 === 3 ? -1 : (r * 31) % cols)));
  add('softmax', shape, f(n), yf(n), rows, cols);
  add('log_softmax', shape, f(n), yf(n), rows, cols);
  for (const smoothing of [0, 0.1]) {
    add('cross_entropy', `${shape} ${smoothing}`, f(n), labels, yf(rows), rows, cols, smoothing);
    add(
      'cross_entropy_grad',
      `${shape} ${smoothing}`,
      f(rows),
      labels,
      inOut('f32', normals(n)),
      rows,
      cols,
      smoothing,
    );
  }
  add('layer_norm', shape, x(n), f(cols), f(cols), y(n), rows, cols, 1e-5);
  add('rms_norm', shape, x(n), f(cols), y(n), rows, cols, 1e-5);
  add('add_rms_norm', shape, x(n), x(n), f(cols), y(n), y(n), rows, cols, 1e-5);
  add('layer_norm_grad_x', shape, x(n), x(n), f(cols), y(n), rows, cols, 1e-3);
  add('rms_norm_grad_x', shape, x(n), x(n), f(cols), y(n), rows, cols, 1e-3);
  add('add_rms_norm_grad', shape, x(n), x(n), x(n), f(cols), y(n), rows, cols, 1e-3);
  const chunks = Math.ceil(rows / 4);
  add('layer_norm_grad_params', shape, x(n), x(n), yf(chunks * cols), yf(chunks * cols), chunks, 4, rows, cols, 1e-3);
  add('rms_norm_grad_gamma', shape, x(n), x(n), yf(chunks * cols), chunks, 4, rows, cols, 1e-3);
  const total = Math.max(0, n - 2);
  add('sum_rows', shape, x(n), yf(rows), rows, cols, total, 0.5);
  add('sum_squares_rows', shape, x(n), yf(rows), rows, cols, total);
  // Equal values too: the lower index comes first.
  const k = Math.min(cols, 5);
  add('top_k', shape, f32(integers(n, 0, 20)), yf(rows * k), yi(rows * k), rows, cols, k);
  add('top_k_int', shape, i(n, 0, 20), yi(rows * k), yi(rows * k), rows, cols, k);
  add('one_hot', shape, i(rows, -1, cols + 1), yi(n), rows, cols, 7, -7);
}

// [outer 2, length 11, inner 75] in chunks of 4, columns in blocks of 64.
add('sum_columns', '2x11x75', x(2 * 11 * 75), yf(2 * 3 * 75), 2 * 3 * 2, 11, 75, 4, 3, 0.5);
for (const op of [0, 1, 2, 3]) {
  const [n, length, inner] = [300, 7, 5];
  add('reduce', `op ${op}`, op, f(n * length), yf(n), n, length, inner);
  add('reduce_int', `op ${op}`, op, i(n * length, -3, 4), yi(n), n, length, inner);
  add('cumulate', `op ${op}`, op, f(n * length), yf(n * length), n, length, inner, op % 2, op >> 1);
  add('cumulate_int', `op ${op}`, op, i(n * length, -3, 4), yi(n * length), n, length, inner, op % 2, op >> 1);
}
for (const sign of [1, -1]) {
  add('arg_extreme', `${sign}`, f32(integers(60 * 9, 0, 6)), yi(60), 60, 9, 4, sign);
  add('arg_extreme_int', `${sign}`, i(60 * 9, 0, 6), yi(60), 60, 9, 4, sign);
}

const COS = normals(16 * 24);
for (const half of [1, 24]) {
  const [rows, heads, groups, perGroup] = [7, 3, 2, 2];
  const tables = [i(rows, 0, 16), f32(COS.slice(0, 16 * half)), f32(normals(16 * half))] as const;
  const n = rows * heads * 2 * half;
  for (const direction of [1, -1])
    add('rope', `${half} ${direction}`, x(n), ...tables, y(n), rows, heads, half, direction);
  const [q, kv] = [rows * groups * perGroup * 2 * half, rows * groups * 2 * half];
  const [all, work] = [q + 2 * kv, rows * groups];
  add('split_rope', `${half}`, x(all), ...tables, y(q), y(kv), y(kv), work, groups, perGroup, half);
  add('split_rope_grad', `${half}`, x(q), x(kv), x(kv), ...tables, y(all), work, groups, perGroup, half);
}

for (const [rows, cols] of [
  [6, 1],
  [6, 37],
  [9, 300],
] as const) {
  const [n, shape, tokens, chunk] = [rows * cols, `${rows}x${cols}`, 3, 4];
  const gate = [f(cols), f(cols), f(1)] as const;
  const chunks = Math.ceil(rows / chunk);
  add('gated_fusion', shape, x(n), x(n / tokens), ...gate, y(n), rows, tokens, cols, 2);
  add('gated_fusion_grad_x', shape, x(n), x(n), x(n / tokens), ...gate, y(n), yf(rows), rows, tokens, cols, 2);
  add('outer_product', shape, f(rows), f(cols), y(n), rows, cols);
  add('weighted_sums', shape, f(rows), x(n), yf(chunks * cols), chunks, chunk, rows, cols);
  add('scale_rows', shape, x(n), f(rows), y(n), rows, cols);
  const labels = i32(Array.from({ length: rows }, (_, r) => (r % 4 === 3 ? -1 : (r * 31) % cols)));
  add('cross_entropy_with_grad', shape, labels, inOut('f32', normals(n)), yf(rows), rows, cols, 0.1);
}

// Bins that overlap (5 cells into 3) and bins that repeat cells (2 into 3).
for (const [from, to] of [
  [
    [5, 4, 7],
    [3, 2, 7],
  ],
  [
    [2, 3, 1],
    [3, 5, 4],
  ],
] as const) {
  const [batch, cols] = [2, 9];
  const cells = (sizes: readonly number[]) => sizes.reduce((product, size) => product * size, batch);
  const [n, m] = [cells(from), cells(to)];
  add('adaptive_pool', `${from} to ${to}`, x(n * cols), yf(m * cols), m, ...from, ...to, cols);
  add('adaptive_pool_grad', `${from} to ${to}`, x(m * cols), y(n * cols), n, ...from, ...to, cols);
}

{
  // Three tensors of these sizes in chunks of 300: rows 0, 1 and 2 to 4 are theirs.
  const sizes = [1, 300, 700];
  const firsts = [0, 1, 2];
  const [rows, chunk, width] = [5, 300, 12];
  const word = (low: number, high: number) => new BigInt64Array(new Float32Array([low, high]).buffer)[0] ?? BigInt(0);
  /** Its addresses are those of the arguments from `first` on, which follow the kernel's own parameters. */
  const table = (first: number, arrays: number): Argument => ({
    kind: 'table',
    words: (addressOf) =>
      sizes.flatMap((size, t) => {
        const addresses = Array.from({ length: arrays }, (_, k) => addressOf(first + t * arrays + k));
        const head = [firsts[t] ?? 0, chunk, size, ...addresses].map(BigInt);
        return [...head, ...Array<bigint>(10 - head.length).fill(BigInt(0)), word(0.99, 0.01), word(1.2, 0)];
      }),
  });
  const state = (n: number) => f32(normals(n).map(Math.abs));
  const moments = sizes.flatMap((n) => [f(n), f(n), f(n), state(n), yf(n), yf(n), yf(n)]);
  add(
    'adamw_many',
    '3 tensors',
    table(10, 7),
    rows,
    sizes.length,
    width,
    0.9,
    0.999,
    0.1,
    0.001,
    1e-8,
    0.5,
    ...moments,
  );
  add('sum_squares_many', '3 tensors', table(5, 1), yf(rows), rows, sizes.length, width, ...sizes.map(f));
  add('sum_chunks', '3 tensors', table(5, 1), f(rows), yf(sizes.length), sizes.length, width, ...sizes.map(f));
}

{
  const n = 500;
  const state = () => f32(normals(n).map(Math.abs));
  const outs = [yf(n), yf(n), yf(n)] as const;
  const rates = [0.9, 0.999, 0.1, 0.001, 1e-8, 0.99, 0.01, 1.2, 0.5];
  add('adamw', `${n}`, f(n), f(n), f(n), state(), ...outs, n, ...rates);
}

// Two operands of [3, 4, 9]; the second is broadcast along the middle axis.
const WHOLE = [36, 9, 1] as const;
const BROADCAST = [9, 0, 1] as const;
const strides = ([first, second, last]: readonly [number, number, number]) => [first, second, 0, 0, 0, last];
const ROWS = [12, 9, 4, 1, 1, 1, ...strides(WHOLE), ...strides(BROADCAST)];
const steps = [
  [1, 1],
  [1, 0],
  [0, 1],
  [0, 0],
] as const;
for (let op = 0; op < 13; op++) {
  // A power of a negative number would be NaN.
  const left = (n: number): Argument =>
    op === 6 ? { kind: 'in', as: 'stored', values: normals(n).map(Math.abs) } : x(n);
  for (const [a, b] of op === 0 ? steps : steps.slice(0, 1)) {
    add('arithmetic_flat', `op ${op} ${a}${b}`, op, left(300), x(300), y(300), 300, a, b);
    add('arithmetic_flat_int', `op ${op} ${a}${b}`, op, i(300, 0, 9), i(300, -2, 6), yi(300), 300, a, b);
  }
  add('arithmetic_rows', `op ${op}`, op, left(108), x(27), y(108), ...ROWS);
  add('arithmetic_rows_int', `op ${op}`, op, i(108, 0, 9), i(27, -2, 6), yi(108), ...ROWS);
}
for (let op = 0; op < 8; op++) {
  const few = (n: number) => f32(integers(n, 0, 3));
  add('comparison_flat', `op ${op}`, op, few(300), few(300), yi(300), 300, 1, 1);
  add('comparison_flat_int', `op ${op}`, op, i(300, 0, 3), i(300, 0, 3), yi(300), 300, 1, op % 2);
  add('comparison_rows', `op ${op}`, op, few(108), few(27), yi(108), ...ROWS);
  add('comparison_rows_int', `op ${op}`, op, i(108, 0, 3), i(27, 0, 3), yi(108), ...ROWS);
}

// [3, 4, 9] transposed to [4, 3, 9], and with its last axis turned round to the front.
add('copy_strided', 'swap', x(108), y(108), 12, 9, 4, 1, 1, 1, ...strides([36, 9, 1]), ...strides([9, 27, 1]));
add('copy_strided', 'last axis', x(108), y(108), 12, 9, 4, 1, 1, 1, ...strides([36, 9, 1]), ...strides([4, 1, 12]));
add('copy_strided', 'broadcast', x(12), y(108), 12, 9, 4, 1, 1, 1, ...strides([4, 1, 0]), ...strides([36, 9, 1]));
// A row is one tile of 16 x 16.
add('transpose_last_two', '2x37x20', x(2 * 37 * 20), y(2 * 37 * 20), 2 * 3 * 2, 37, 20);
add('gather', '2x3 of 5x40', x(2 * 3 * 5 * 40), i(2 * 4, -1, 6), y(2 * 3 * 4 * 40), 2 * 3 * 4, 3, 5, 4, 40);
{
  const [order, starts, targets] = [i32([4, 0, 3, 1, 2, 5]), i32([0, 3, 4, 6]), i32([2, 0, 3])];
  add('segment_sum', '3 of 6x50', x(300), order, starts, targets, inOut('f32', Array(200).fill(0)), 3, 50);
  add('segment_sum_int', '3 of 6x50', i(300, -9, 9), order, starts, targets, inOut('i32', Array(200).fill(0)), 3, 50);
}
{
  const [batch, time, capacity, width] = [2, 3, 8, 40];
  const [cache, tokens] = [() => inOut('stored', normals(batch * capacity * width)), batch * time];
  add('kv_append', 'at 4', x(tokens * width), cache(), 0, tokens, time, capacity, width, 4);
  // The last token lies behind the capacity.
  add('kv_append', 'at a device address', x(tokens * width), cache(), i32([6]), tokens, time, capacity, width, 0);
  add(
    'kv_grow',
    '5 of 8 to 11',
    x(batch * 8 * width),
    inOut('stored', normals(batch * 11 * width)),
    10,
    5,
    8,
    11,
    width,
  );
}
for (const inner of [1, 6]) add('choose', `${inner}`, i(300 / inner, 0, 2), x(300), x(300), y(300), 300, inner);
add('matmul_int', '2x3x40x5', i(2 * 15, -9, 9), i(200, -9, 9), yi(240), 6, 3, 40, 5, 15, 5, 1, 0, 40, 1);

/** The kernels of one operand: their types stand in the source. */
const UNARY = /^KERNEL (\w+)\(const (float|int)\* x, (float|int)\* y, i64 n((?:, float \w+)*)\)/gm;

export function unaryCases(source: string): KernelCase[] {
  const n = 700;
  return [...source.matchAll(UNARY)].map(([, kernel = '', from, to, rest = '']) => ({
    kernel,
    what: `${n}`,
    parameters: [
      from === 'float' ? f(n) : i(n, -5, 9),
      to === 'float' ? yf(n) : yi(n),
      n,
      ...[-0.5, 0.75].slice(0, rest.split(', float').length - 1),
    ],
  }));
}

export const CASES: readonly KernelCase[] = cases;
