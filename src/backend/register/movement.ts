/** Kernels that move data unchanged: views, slices, joins, permutations. */
import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import { STORAGE_BYTES, type Storage } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import {
  axisOf,
  commonStorage,
  input,
  inputList,
  intsAttr,
  isFloat,
  type Kernel,
  numberAttr,
  registerTable,
  sameShape,
  sizeOf,
  variant,
} from './kernel.js';
import { broadcastStrides, collapse, denseStrides } from './layout.js';
import { filled } from './unary.js';

/** A kernel that moves cells: 4 bytes of f32 and i32, 2 of bf16. */
export function cellKernel(kernel: string, storage: Storage): string {
  return variant(kernel, storage === 'bf16' ? 'bf16' : 'f32');
}

/** Copies a strided view onto another; offsets and strides in elements. */
function copyStrided(
  backend: NativeBackend,
  storage: Storage,
  shape: readonly number[],
  from: { address: number; offset: number; strides: readonly number[] },
  to: { address: number; offset: number; strides: readonly number[] },
): void {
  const { rows, cols, sizes, strides } = collapse(shape, [from.strides, to.strides]);
  const [fromStrides = [], toStrides = []] = strides;
  const source = from.address + from.offset * STORAGE_BYTES[storage];
  const target = to.address + to.offset * STORAGE_BYTES[storage];
  backend.device.launch(
    cellKernel('copy_strided', storage),
    source,
    target,
    rows,
    cols,
    ...sizes,
    ...fromStrides,
    ...toStrides,
  );
}

/** A dense copy of a strided view of x. */
export function materialize(
  backend: NativeBackend,
  x: TensorInfo,
  shape: number[],
  strides: readonly number[],
  offset = 0,
): TensorInfo {
  const storage = backend.storageOf(x);
  const y = backend.make(shape, x.dtype, storage);
  const to = { address: backend.address(y), offset: 0, strides: denseStrides(shape) };
  copyStrided(backend, storage, shape, { address: backend.address(x), offset, strides }, to);
  return y;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function slice(backend: NativeBackend, x: TensorInfo, begin: readonly number[], size: number[]): TensorInfo {
  if (sameShape(size, x.shape)) return backend.share(x, x.shape);
  const strides = denseStrides(x.shape);
  return materialize(backend, x, size, strides, dot(begin, strides));
}

/** Axes in another order. */
export function transpose(backend: NativeBackend, x: TensorInfo, perm: readonly number[]): TensorInfo {
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  const moved = perm.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > (moved[i - 1] ?? 0))) return backend.share(x, shape);
  // [.., a.., b..] -> [.., b.., a..]: a batch of plain matrix transposes.
  const split = moved.findIndex((axis, i) => axis !== i + perm.length - moved.length);
  const own = denseStrides(x.shape);
  const strides = perm.map((axis) => own[axis] ?? 0);
  const { sizes, rows, cols, strides: merged } = collapse(shape, [strides]);
  const [, , , s3 = 0, s4 = 0, s5 = 0] = merged[0] ?? [];
  const [, , , height] = sizes;
  if (
    split >= 0 &&
    s4 === 1 &&
    s5 === height &&
    (s3 === 0 || s3 === height * cols) &&
    sizes[0] === 1 &&
    sizes[1] === 1
  ) {
    const storage = backend.storageOf(x);
    const y = backend.make(shape, x.dtype, storage);
    const tiles = (rows / height) * Math.ceil(height / 16) * Math.ceil(cols / 16);
    backend.device.launch(
      cellKernel('transpose_last_two', storage),
      backend.address(x),
      backend.address(y),
      tiles,
      cols,
      height,
    );
    return y;
  }
  return materialize(backend, x, shape, strides);
}

function concat(backend: NativeBackend, inputs: readonly TensorInfo[], axis: number): TensorInfo {
  const [first] = inputs;
  if (first === undefined) throw new RangeError('native Concat: no inputs');
  const other = inputs.find(({ dtype }) => dtype !== first.dtype);
  if (other !== undefined) {
    throw new BackendError(
      'E_DTYPE_UNSUPPORTED',
      `native Concat: got dtypes ${first.dtype} and ${other.dtype}, expected the same`,
    );
  }
  const shapes = inputs.map((x) => x.shape);
  // TF.js leaves this to the kernel; the copies below would write past the end of y.
  backend_util.assertParamsConsistent(shapes, axis);
  const shape = backend_util.computeOutShape(shapes, axis);
  const storage = isFloat(first) ? commonStorage(backend, ...inputs) : 'i32';
  const y = backend.make(shape, first.dtype, storage);
  const strides = denseStrides(shape);
  const address = backend.address(y);
  let start = 0;
  const place = (x: TensorInfo) => {
    const from = { address: backend.address(x), offset: 0, strides: denseStrides(x.shape) };
    copyStrided(backend, storage, x.shape, from, { address, offset: start * (strides[axis] ?? 0), strides });
    start += x.shape[axis] ?? 0;
  };
  for (const x of inputs) storage === 'i32' ? place(x) : backend.withStorage(x, storage, place);
  return y;
}

const identity: Kernel = (backend, inputs) => backend.share(input(inputs, 'x'), input(inputs, 'x').shape);

const reshape: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  return backend.share(x, util.inferFromImplicitShape(intsAttr(attrs, 'shape'), sizeOf(x.shape)));
};

const expandDims: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'input');
  const shape = [...x.shape];
  const dim = numberAttr(attrs, 'dim');
  const axis = axisOf(dim, x.shape.length + 1);
  if (axis < 0 || axis > x.shape.length) {
    throw new BackendError(
      'E_AXIS_RANGE',
      `native ExpandDims: got axis ${dim} for shape [${x.shape}], expected ${-x.shape.length - 1}..${x.shape.length}`,
    );
  }
  shape.splice(axis, 0, 1);
  return backend.share(x, shape);
};

const sliceKernel: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const toTheEnd = x.shape.map(() => -1);
  const sizes = attrs['size'] === undefined || attrs['size'] === null ? toTheEnd : intsAttr(attrs, 'size');
  const [begin = [], size = []] = slice_util.parseSliceParams(x, intsAttr(attrs, 'begin'), sizes);
  slice_util.assertParamsValid(x, begin, size);
  return slice(backend, x, begin, size);
};

const stridedSlice: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const mask = (name: string) => numberAttr(attrs, name, 0);
  const { finalShape, begin, end, strides } = slice_util.sliceInfo(
    x.shape,
    intsAttr(attrs, 'begin'),
    intsAttr(attrs, 'end'),
    intsAttr(attrs, 'strides'),
    mask('beginMask'),
    mask('endMask'),
    mask('ellipsisMask'),
    mask('newAxisMask'),
    mask('shrinkAxisMask'),
  );
  const own = denseStrides(x.shape);
  const size = slice_util.computeOutShape(begin, end, strides);
  const y = materialize(
    backend,
    x,
    size,
    own.map((stride, axis) => stride * (strides[axis] ?? 1)),
    dot(begin, own),
  );
  return { ...y, shape: finalShape };
};

const split: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const axis = axisOf(numberAttr(attrs, 'axis', 0), x.shape.length);
  const parts = attrs['numOrSizeSplits'];
  const sizes = backend_util.prepareSplitSize(
    x,
    typeof parts === 'number' ? parts : intsAttr(attrs, 'numOrSizeSplits'),
    axis,
  );
  const begin = x.shape.map(() => 0);
  return sizes.map((length) => {
    const size = [...x.shape];
    size[axis] = length;
    const part = slice(backend, x, begin, size);
    begin[axis] = (begin[axis] ?? 0) + length;
    return part;
  });
};

const concatKernel: Kernel = (backend, inputs, attrs) => {
  const list = inputList(inputs);
  return concat(backend, list, axisOf(numberAttr(attrs, 'axis'), list[0]?.shape.length ?? 0));
};

const pack: Kernel = (backend, inputs, attrs) => {
  const list = inputList(inputs);
  const axis = axisOf(numberAttr(attrs, 'axis'), (list[0]?.shape.length ?? 0) + 1);
  const withAxis = list.map((x) => ({ ...x, shape: [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)] }));
  return concat(backend, withAxis, axis);
};

const unpack: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'value');
  const axis = axisOf(numberAttr(attrs, 'axis'), x.shape.length);
  const shape = x.shape.filter((_, i) => i !== axis);
  const size = x.shape.map((length, i) => (i === axis ? 1 : length));
  return Array.from({ length: x.shape[axis] ?? 0 }, (_, i) => {
    const part = slice(
      backend,
      x,
      x.shape.map((_length, j) => (j === axis ? i : 0)),
      size,
    );
    return { ...part, shape };
  });
};

const tile: Kernel = (backend, inputs, attrs) => {
  let y = backend.share(input(inputs, 'x'), input(inputs, 'x').shape);
  for (const [axis, repeats] of intsAttr(attrs, 'reps').entries()) {
    if (repeats === 1) continue;
    const outer = sizeOf(y.shape.slice(0, axis));
    const inner = sizeOf(y.shape.slice(axis));
    const shape = y.shape.map((length, i) => (i === axis ? length * repeats : length));
    const repeated = materialize(backend, y, [outer, repeats, inner], [inner, 0, 1]);
    backend.discard(y);
    y = { ...repeated, shape };
  }
  return y;
};

const broadcastTo: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const shape = intsAttr(attrs, 'shape');
  return materialize(backend, x, shape, broadcastStrides(x.shape, shape));
};

const pad: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const paddings = attrs['paddings'];
  if (!Array.isArray(paddings)) throw new TypeError('native PadV2: paddings is not a list');
  const pairs = paddings.map((pair): [number, number] =>
    Array.isArray(pair) ? [Number(pair[0]), Number(pair[1])] : [0, 0],
  );
  const shape = x.shape.map((length, axis) => length + (pairs[axis]?.[0] ?? 0) + (pairs[axis]?.[1] ?? 0));
  const storage = backend.storageOf(x);
  const y = filled(backend, shape, x.dtype, numberAttr(attrs, 'constantValue', 0), storage);
  const strides = denseStrides(shape);
  const offset = dot(
    pairs.map(([before]) => before),
    strides,
  );
  const from = { address: backend.address(x), offset: 0, strides: denseStrides(x.shape) };
  copyStrided(backend, storage, x.shape, from, { address: backend.address(y), offset, strides });
  return y;
};

const reverse: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const own = denseStrides(x.shape);
  const all = attrs['dims'] === undefined || attrs['dims'] === null;
  const axes = new Set(all ? x.shape.keys() : util.parseAxisParam(intsAttr(attrs, 'dims'), x.shape));
  const strides = own.map((stride, axis) => (axes.has(axis) ? -stride : stride));
  const offset = own.reduce(
    (sum, stride, axis) => (axes.has(axis) ? sum + stride * ((x.shape[axis] ?? 1) - 1) : sum),
    0,
  );
  return materialize(backend, x, x.shape, strides, offset);
};

export function registerMovement(backendName: string): void {
  registerTable(backendName, {
    Identity: identity,
    Reshape: reshape,
    ExpandDims: expandDims,
    Slice: sliceKernel,
    StridedSlice: stridedSlice,
    SplitV: split,
    Concat: concatKernel,
    Pack: pack,
    Unpack: unpack,
    Transpose: (backend, inputs, attrs) => transpose(backend, input(inputs, 'x'), intsAttr(attrs, 'perm')),
    Tile: tile,
    BroadcastTo: broadcastTo,
    PadV2: pad,
    Reverse: reverse,
  });
}
