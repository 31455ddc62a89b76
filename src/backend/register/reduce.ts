/** Reductions over axes. */
import { type NamedAttrMap, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { FloatStorage } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import {
  axisOf,
  flagAttr,
  input,
  intsAttr,
  isFloat,
  type Kernel,
  numberAttr,
  registerTable,
  registerWidening,
  sizeOf,
  variant,
} from './kernel.js';
import { transpose } from './movement.js';
import { cast } from './unary.js';

/** In the order of ReduceOp in kernels/reduce.cu. */
const REDUCE_OPS = ['Sum', 'Prod', 'Max', 'Min'] as const;
type ReduceOp = (typeof REDUCE_OPS)[number];

/** A full sum is cut into rows of this many elements; sums over many rows into chunks of this many. Fixed: the order of summation must not depend on the machine. */
const FULL_CHUNK = 4096;
const ROWS_CHUNK = 128;
const COLUMN_BLOCK = 64;
/** With this many independent blocks there is no need to cut further. */
const ENOUGH_BLOCKS = 32;
const WORD_BYTES = 4;

/** x as [outer, length, inner], reduced over the middle. */
interface Extent {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** Sum of all `length` elements at `x` to the f32 scalar at `y`, times `scale`. */
export function sumAll(
  backend: NativeBackend,
  kernel: 'sum_rows' | 'sum_squares_rows',
  x: number,
  y: number,
  length: number,
  scale = 1,
  storage: FloatStorage = 'f32',
): void {
  const { device } = backend;
  const chunk = Math.max(FULL_CHUNK, Math.ceil(length / FULL_CHUNK));
  const chunks = Math.ceil(length / chunk);
  const tail = kernel === 'sum_rows' ? [1] : [];
  backend.withScratch(Math.max(1, chunks) * WORD_BYTES, (partial) => {
    device.launch(variant(kernel, storage), x, partial, chunks, chunk, length, ...tail);
    device.launch('sum_rows', partial, y, 1, chunks, chunks, scale);
  });
}

/** Sum of x [outer, length, inner] over its middle axis to f32 y [outer, inner], times `scale`. */
export function sumColumns(
  backend: NativeBackend,
  x: number,
  y: number,
  { outer, length, inner }: Extent,
  scale = 1,
  storage: FloatStorage = 'f32',
): void {
  const { device } = backend;
  const kernel = variant('sum_columns', storage);
  const blocks = outer * Math.ceil(inner / COLUMN_BLOCK);
  if (blocks >= ENOUGH_BLOCKS || length < 2 * ROWS_CHUNK) {
    device.launch(kernel, x, y, blocks, length, inner, length, 1, scale);
    return;
  }
  const chunks = Math.ceil(length / ROWS_CHUNK);
  backend.withScratch(outer * chunks * inner * WORD_BYTES, (partial) => {
    device.launch(kernel, x, partial, blocks * chunks, length, inner, ROWS_CHUNK, chunks, 1);
    sumColumns(backend, partial, y, { outer, length: chunks, inner }, scale);
  });
}

function sum(backend: NativeBackend, x: TensorInfo, y: number, extent: Extent, scale: number): void {
  const { outer, length, inner } = extent;
  if (outer * inner === 0) return;
  const from = backend.address(x);
  const storage = backend.floatStorage(x);
  if (inner > 1) sumColumns(backend, from, y, extent, scale, storage);
  else if (outer === 1) sumAll(backend, 'sum_rows', from, y, length, scale, storage);
  else backend.device.launch(variant('sum_rows', storage), from, y, outer, length, outer * length, scale);
}

/** The reduced axes, the result's shape, and x with its reduced axes side by side (the caller discards `moved`). */
function arrange(backend: NativeBackend, x: TensorInfo, axes: readonly number[], keepDims: boolean) {
  const reduced = new Set(axes);
  const shape = keepDims
    ? x.shape.map((length, axis) => (reduced.has(axis) ? 1 : length))
    : x.shape.filter((_, axis) => !reduced.has(axis));
  const wide = axes.filter((axis) => x.shape[axis] !== 1);
  const [first = 0] = wide;
  const last = wide.at(-1) ?? first;
  const between = x.shape.slice(first, last + 1).every((length, i) => length === 1 || reduced.has(first + i));
  if (between || wide.length === 0) {
    const outer = wide.length === 0 ? sizeOf(x.shape) : sizeOf(x.shape.slice(0, first));
    const length = wide.length === 0 ? 1 : sizeOf(x.shape.slice(first, last + 1));
    const inner = wide.length === 0 ? 1 : sizeOf(x.shape.slice(last + 1));
    return { shape, moved: backend.share(x, x.shape), extent: { outer, length, inner } };
  }
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !reduced.has(axis));
  const moved = transpose(backend, x, [...kept, ...axes]);
  const length = axes.reduce((product, axis) => product * (x.shape[axis] ?? 1), 1);
  return { shape, moved, extent: { outer: sizeOf(shape), length, inner: 1 } };
}

/** In rising order; none given means all. TF.js calls the attribute `reductionIndices` for Max alone. */
function reducedAxes(attrs: NamedAttrMap, shape: number[]): number[] {
  const name = attrs['axis'] === undefined ? 'reductionIndices' : 'axis';
  if (attrs[name] === undefined || attrs[name] === null) return shape.map((_, axis) => axis);
  return util.parseAxisParam(intsAttr(attrs, name), shape).toSorted((a, b) => a - b);
}

function reduce(backend: NativeBackend, op: ReduceOp, x: TensorInfo, attrs: NamedAttrMap, mean = false): TensorInfo {
  const axes = reducedAxes(attrs, x.shape);
  const { shape, moved, extent } = arrange(backend, x, axes, flagAttr(attrs, 'keepDims'));
  const y = backend.make(shape, isFloat(x) ? 'float32' : 'int32');
  const to = backend.address(y);
  const { outer, length, inner } = extent;
  if (op === 'Sum' && isFloat(x)) {
    sum(backend, moved, to, extent, mean && length > 0 ? 1 / length : 1);
  } else {
    const kernel = isFloat(x) ? 'reduce' : 'reduce_int';
    backend.device.launch(kernel, REDUCE_OPS.indexOf(op), backend.address(moved), to, outer * inner, length, inner);
  }
  backend.discard(moved);
  return y;
}

function reduction(op: ReduceOp): Kernel {
  return (backend, inputs, attrs) => reduce(backend, op, input(inputs, 'x'), attrs);
}

/** Float32 from any dtype. */
const mean: Kernel = (backend, inputs, attrs) => {
  const x = cast(backend, input(inputs, 'x'), 'float32');
  const y = reduce(backend, 'Sum', x, attrs, true);
  backend.discard(x);
  return y;
};

/** Of booleans, by an operation whose value over nothing is the right one: a product of 1, a sum of 0. */
function booleanReduction(op: 'Prod' | 'Sum'): Kernel {
  return (backend, inputs, attrs) => {
    const count = reduce(backend, op, input(inputs, 'x'), attrs);
    const y = cast(backend, count, 'bool');
    backend.discard(count);
    return y;
  };
}

function extentAt(x: TensorInfo, axis: number): Extent {
  return { outer: sizeOf(x.shape.slice(0, axis)), length: x.shape[axis] ?? 1, inner: sizeOf(x.shape.slice(axis + 1)) };
}

function argExtreme(sign: number): Kernel {
  return (backend, inputs, attrs) => {
    const x = input(inputs, 'x');
    const [given = 0] = intsAttr(attrs, 'axis');
    const axis = axisOf(given, x.shape.length);
    const { outer, length, inner } = extentAt(x, axis);
    const y = backend.make(
      x.shape.filter((_, i) => i !== axis),
      'int32',
    );
    const kernel = isFloat(x) ? 'arg_extreme' : 'arg_extreme_int';
    backend.device.launch(kernel, backend.address(x), backend.address(y), outer * inner, length, inner, sign);
    return y;
  };
}

function cumulation(op: ReduceOp): Kernel {
  return (backend, inputs, attrs) => {
    const x = input(inputs, 'x');
    const { outer, length, inner } = extentAt(x, axisOf(numberAttr(attrs, 'axis', 0), x.shape.length));
    const y = backend.make(x.shape, isFloat(x) ? 'float32' : 'int32');
    const kernel = isFloat(x) ? 'cumulate' : 'cumulate_int';
    const flags = ['exclusive', 'reverse'].map((name) => (flagAttr(attrs, name) ? 1 : 0));
    const addresses = [backend.address(x), backend.address(y)];
    backend.device.launch(kernel, REDUCE_OPS.indexOf(op), ...addresses, outer * inner, length, inner, ...flags);
    return y;
  };
}

const topK: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const k = numberAttr(attrs, 'k');
  const cols = x.shape.at(-1) ?? 1;
  const shape = [...x.shape.slice(0, -1), k];
  const values = backend.make(shape, x.dtype);
  const indices = backend.make([...shape], 'int32');
  const kernel = isFloat(x) ? 'top_k' : 'top_k_int';
  backend.device.launch(
    kernel,
    backend.address(x),
    backend.address(values),
    backend.address(indices),
    sizeOf(x.shape.slice(0, -1)),
    cols,
    k,
  );
  return [values, indices];
};

export function registerReduce(backendName: string): void {
  const [sums, ...others] = REDUCE_OPS;
  registerTable(backendName, {
    [sums]: reduction(sums),
    Mean: mean,
    All: booleanReduction('Prod'),
    Any: booleanReduction('Sum'),
  });
  registerWidening(backendName, {
    ...Object.fromEntries(others.map((name) => [name, reduction(name)])),
    ArgMax: argExtreme(1),
    ArgMin: argExtreme(-1),
    Cumsum: cumulation('Sum'),
    Cumprod: cumulation('Prod'),
    TopK: topK,
  });
}
