/** Arithmetic and comparisons of two operands that broadcast. */
import {
  given,
  givenStored,
  integers,
  type KernelBuffer,
  type KernelCall,
  normals,
  positives,
  resultInts,
  resultStored,
  type Values,
} from '../kernel-call.js';
import { at, fill } from './math.js';
import type { Shapes } from './shapes.js';

type Pair = (a: number, b: number) => number;

/** In the order of BinaryOp in kernels/binary.cu. */
const ARITHMETIC: readonly Pair[] = [
  (a, b) => a + b,
  (a, b) => a - b,
  (a, b) => a * b,
  (a, b) => a / b,
  Math.max,
  Math.min,
  (a, b) => a ** b,
  (a, b) => (a - b) ** 2,
  (a, b) => Math.floor(a / b),
  (a, b) => a - Math.floor(a / b) * b,
  Math.atan2,
  (x, alpha) => (x < 0 ? x * alpha : x),
  (dy, y) => (y >= 0 ? dy : dy * (y + 1)),
];
const [DIV, POW, FLOOR_DIV, MOD, ATAN2] = [3, 6, 8, 9, 10];
/** In the order of CompareOp. */
const COMPARISONS: readonly ((a: number, b: number) => boolean)[] = [
  (a, b) => a === b,
  (a, b) => a !== b,
  (a, b) => a > b,
  (a, b) => a >= b,
  (a, b) => a < b,
  (a, b) => a <= b,
  (a, b) => a !== 0 && b !== 0,
  (a, b) => a !== 0 || b !== 0,
];

const numberOf =
  (compare: (a: number, b: number) => boolean): Pair =>
  (a, b) =>
    compare(a, b) ? 1 : 0;

/** Kernels of one dtype: their two names, the functions by number, and buffers. */
interface Variant {
  readonly kernel: string;
  readonly functions: readonly Pair[];
  readonly operand: (length: number, op: number, side: 'a' | 'b') => KernelBuffer;
  readonly result: (length: number) => KernelBuffer;
}

/** Halves: sums, products and quotients by powers of two are exact in bf16, so that floor and remainder cannot jump. */
const halves = (length: number) => Float32Array.from(integers(length, -20, 20), (x) => x / 2);
const powersOfTwo = (length: number) => Float32Array.from(integers(length, -1, 3), (x) => 2 ** x);

function floatOperand(length: number, op: number, side: 'a' | 'b'): KernelBuffer {
  if (op === FLOOR_DIV || op === MOD) return givenStored(side === 'a' ? halves(length) : powersOfTwo(length));
  if (op === POW || (op === DIV && side === 'b')) return givenStored(positives(length));
  return givenStored(normals(length));
}

function intOperand(length: number, op: number, side: 'a' | 'b'): KernelBuffer {
  if (op === POW) return given(side === 'a' ? integers(length, -4, 5) : integers(length, 0, 5));
  return given(side === 'a' ? integers(length, -50, 50) : integers(length, 1, 9));
}

const truncated: readonly Pair[] = ARITHMETIC.map((f, op) =>
  op === DIV || op === ATAN2 ? (a, b) => Math.trunc(f(a, b)) : f,
);

const VARIANTS: readonly Variant[] = [
  { kernel: 'arithmetic_SHAPE', functions: ARITHMETIC, operand: floatOperand, result: resultStored },
  { kernel: 'arithmetic_SHAPE_int', functions: truncated, operand: intOperand, result: resultInts },
  {
    kernel: 'comparison_SHAPE',
    functions: COMPARISONS.map(numberOf),
    operand: (n) => given(Float32Array.from(integers(n, -2, 3))),
    result: resultInts,
  },
  {
    kernel: 'comparison_SHAPE_int',
    functions: COMPARISONS.map(numberOf),
    operand: (n) => given(integers(n, -2, 3)),
    result: resultInts,
  },
];

/** Every function, in turn with whole operands and with a scalar on either side. */
function flatCalls({ kernel, functions, operand, result: make }: Variant, n: number): KernelCall[] {
  const steps = [
    [1, 1],
    [1, 0],
    [0, 1],
    [0, 0],
  ] as const;
  return functions.map((f, op) => {
    const [stepA, stepB] = steps[op % steps.length] ?? [1, 1];
    const a = operand(stepA === 1 ? n : 1, op, 'a');
    const b = operand(stepB === 1 ? n : 1, op, 'b');
    return {
      kernel: kernel.replace('SHAPE', 'flat'),
      shape: `op ${op}, ${n}, steps ${stepA} ${stepB}`,
      args: [op, a, b, make(n), n, stepA, stepB],
      expected: (x, y) => [fill(n, (i) => f(at(x, stepA * i), at(y, stepB * i)))],
    };
  });
}

/** [2, 3, 1, 2, R, C] with a broadcast over its third and last axes in `a`, and over the first and fifth in `b`. */
function rowCalls({ kernel, functions, operand, result: make }: Variant, rows: number, cols: number): KernelCall[] {
  const sizes = [2, 3, 1, 2, rows, cols];
  const stridesA = [6 * rows, 2 * rows, 0, rows, 1, 0];
  const stridesB = [0, 2 * cols, 0, cols, 0, 1];
  const count = 12 * rows;
  const offset = (index: number, strides: readonly number[]) => {
    let rest = index;
    let found = 0;
    for (let axis = 5; axis >= 0; axis--) {
      const size = sizes[axis] ?? 1;
      found += (rest % size) * (strides[axis] ?? 0);
      rest = Math.floor(rest / size);
    }
    return found;
  };
  return functions.map((f, op) => ({
    kernel: kernel.replace('SHAPE', 'rows'),
    shape: `op ${op}, 2 x 3 x 1 x 2 x ${rows} x ${cols}`,
    args: [
      ...[op, operand(12 * rows, op, 'a'), operand(6 * cols, op, 'b'), make(count * cols), count, cols],
      ...[...sizes.slice(1, 5), ...stridesA, ...stridesB],
    ],
    expected: (x: Values, y: Values) => [
      fill(count * cols, (i) => f(at(x, offset(i, stridesA)), at(y, offset(i, stridesB)))),
    ],
  }));
}

export function binaryCalls({ lengths, rows }: Shapes): KernelCall[] {
  const small = rows.filter(([r, c]) => r * c <= 2 ** 15 && r > 0);
  return VARIANTS.flatMap((variant) => [
    ...lengths.flatMap((n) => flatCalls(variant, n)),
    ...small.flatMap(([r, c]) => rowCalls(variant, r, c)),
  ]);
}
