/** Kernels that pick or place rows by index. */
import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import type { NativeBackend } from '../native-backend.js';
import {
  commonStorage,
  dtypeAttr,
  input,
  intsAttr,
  isFloat,
  type Kernel,
  numberAttr,
  registerTable,
  sizeOf,
  variant,
} from './kernel.js';
import { cellKernel } from './movement.js';
import { filled } from './unary.js';

const WORD_BYTES = 4;

/** Source rows grouped by target row, each group in source order. */
interface Segments {
  readonly order: Int32Array;
  readonly starts: Int32Array;
  readonly targets: Int32Array;
}

/** Counting sort; negative indices are left out. */
function groupByTarget(indices: Int32Array, rows: number): Segments {
  const counts = new Int32Array(rows);
  let kept = 0;
  for (const index of indices) {
    if (index < 0) continue;
    if (index >= rows)
      throw new BackendError('E_INDEX_RANGE', `native scatter: got index ${index}, expected less than ${rows}`);
    counts[index] = (counts[index] ?? 0) + 1;
    kept++;
  }
  const targets: number[] = [];
  const starts: number[] = [];
  const next = new Int32Array(rows);
  let start = 0;
  for (let row = 0; row < rows; row++) {
    const count = counts[row] ?? 0;
    if (count === 0) continue;
    targets.push(row);
    starts.push(start);
    next[row] = start;
    start += count;
  }
  starts.push(start);
  const order = new Int32Array(kept);
  for (const [source, index] of indices.entries()) {
    if (index < 0) continue;
    const at = next[index] ?? 0;
    order[at] = source;
    next[index] = at + 1;
  }
  return { order, starts: Int32Array.from(starts), targets: Int32Array.from(targets) };
}

/** Zeros [rows, ...], f32 or int32, plus each source row at its index. */
function scatterAdd(
  backend: NativeBackend,
  x: TensorInfo,
  indices: Int32Array,
  rows: number,
  shape: number[],
): TensorInfo {
  const y = filled(backend, shape, isFloat(x) ? 'float32' : 'int32', 0);
  if (sizeOf(shape) === 0 || indices.length === 0) return y;
  const inner = sizeOf(shape) / rows;
  const { order, starts, targets } = groupByTarget(indices, rows);
  const { device } = backend;
  const tables = [order, starts, targets];
  const offsets = [0, order.length, order.length + starts.length];
  const words = order.length + starts.length + targets.length;
  backend.withScratch(words * WORD_BYTES, (scratch) => {
    const addresses = offsets.map((offset) => scratch + offset * WORD_BYTES);
    for (const [i, table] of tables.entries()) if (table.length > 0) device.write(addresses[i] ?? 0, table);
    const [orderAt = 0, startsAt = 0, targetsAt = 0] = addresses;
    device.launch(
      isFloat(x) ? variant('segment_sum', backend.floatStorage(x)) : 'segment_sum_int',
      backend.address(x),
      orderAt,
      startsAt,
      targetsAt,
      backend.address(y),
      targets.length,
      inner,
    );
  });
  return y;
}

const gatherV2: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const indices = input(inputs, 'indices');
  const [axis = 0] = util.parseAxisParam(numberAttr(attrs, 'axis', 0), x.shape);
  const info = backend_util.segment_util.collectGatherOpShapeInfo(x, indices, axis, numberAttr(attrs, 'batchDims', 0));
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = info;
  if (backend.device.kind === 'host') {
    for (const index of backend.readInts(indices)) {
      if (index < 0 || index >= dimSize) {
        const range = `[0, ${dimSize - 1}]`;
        throw new BackendError('E_INDEX_RANGE', `native GatherV2: the index value ${index} is not in ${range}`);
      }
    }
  }
  const count = sizeOf(indices.shape) / batchSize;
  const storage = backend.storageOf(x);
  const y = backend.make(outputShape, x.dtype, storage);
  const rows = batchSize * outerSize * count;
  const addresses = [backend.address(x), backend.address(indices), backend.address(y)];
  backend.device.launch(cellKernel('gather', storage), ...addresses, rows, outerSize, dimSize, count, sliceSize);
  return y;
};

const gatherRows: Kernel = (backend, inputs) => {
  const table = input(inputs, 'table');
  const indices = input(inputs, 'indices');
  const [rows = 0, channels = 0] = table.shape;
  const count = sizeOf(indices.shape);
  const storage = backend.storageOf(table);
  const y = backend.make([count, channels], table.dtype, storage);
  const addresses = [backend.address(table), backend.address(indices), backend.address(y)];
  backend.device.launch(cellKernel('gather', storage), ...addresses, count, 1, rows, count, channels);
  return y;
};

const scatterAddRows: Kernel = (backend, inputs, attrs) => {
  const dy = input(inputs, 'dy');
  const rows = numberAttr(attrs, 'rows');
  return scatterAdd(backend, dy, backend.readInts(input(inputs, 'indices')), rows, [rows, dy.shape[1] ?? 1]);
};

const segmentSum: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  const ids = input(inputs, 'segmentIds');
  const rows = numberAttr(attrs, 'numSegments');
  return scatterAdd(backend, x, backend.readInts(ids), rows, [rows, ...x.shape.slice(ids.shape.length)]);
};

/** Rows that index tuples [count, strides.length] name, with the strides in rows. */
function flatRows(
  kernel: string,
  backend: NativeBackend,
  indices: TensorInfo,
  count: number,
  strides: readonly number[],
  rows: number,
): Int32Array {
  const values = backend.readInts(indices);
  return Int32Array.from({ length: count }, (_, tuple) => {
    const row = strides.reduce((sum, stride, i) => sum + (values[tuple * strides.length + i] ?? 0) * stride, 0);
    if (row < 0 || row >= rows) {
      const given = values.subarray(tuple * strides.length, (tuple + 1) * strides.length);
      throw new BackendError(
        'E_INDEX_RANGE',
        `native ${kernel}: got index [${given}] = row ${row}, expected less than ${rows}`,
      );
    }
    return row;
  });
}

const scatterNd: Kernel = (backend, inputs, attrs) => {
  const updates = input(inputs, 'updates');
  const shape = intsAttr(attrs, 'shape');
  const indices = input(inputs, 'indices');
  const { sliceRank, numUpdates, strides, sliceSize, outputSize } = backend_util.calculateShapes(
    updates,
    indices,
    shape,
  );
  const rows = sliceSize === 0 ? 0 : outputSize / sliceSize;
  const flat = flatRows('ScatterNd', backend, indices, numUpdates, strides.slice(0, sliceRank), rows);
  return scatterAdd(backend, updates, flat, rows, shape);
};

const gatherNd: Kernel = (backend, inputs) => {
  const params = input(inputs, 'params');
  const indices = input(inputs, 'indices');
  const [shape, count, sliceSize, strides] = backend_util.prepareAndValidate(params, indices);
  const storage = backend.storageOf(params);
  const y = backend.make(shape, params.dtype, storage);
  if (sizeOf(shape) === 0) return y;
  const rows = sizeOf(params.shape) / sliceSize;
  const flat = flatRows('GatherNd', backend, indices, count, strides, rows);
  backend.withScratch(count * WORD_BYTES, (scratch) => {
    backend.device.write(scratch, flat);
    const addresses = [backend.address(params), scratch, backend.address(y)];
    backend.device.launch(cellKernel('gather', storage), ...addresses, count, 1, rows, count, sliceSize);
  });
  return y;
};

const bits = new DataView(new ArrayBuffer(WORD_BYTES));

/** A value as the 4-byte word in which `dtype` stores it. */
function wordOf(value: number, float: boolean): number {
  if (!float) return value;
  bits.setFloat32(0, value);
  return bits.getInt32(0);
}

const oneHot: Kernel = (backend, inputs, attrs) => {
  const indices = input(inputs, 'indices');
  const depth = numberAttr(attrs, 'depth');
  const dtype = dtypeAttr(attrs, 'dtype', 'int32');
  const y = backend.make([...indices.shape, depth], dtype);
  const on = wordOf(numberAttr(attrs, 'onValue', 1), dtype === 'float32');
  const off = wordOf(numberAttr(attrs, 'offValue', 0), dtype === 'float32');
  backend.device.launch('one_hot', backend.address(indices), backend.address(y), sizeOf(indices.shape), depth, on, off);
  return y;
};

const select: Kernel = (backend, inputs) => {
  const condition = input(inputs, 'condition');
  const t = input(inputs, 't');
  const e = input(inputs, 'e');
  if (isFloat(t) !== isFloat(e)) {
    throw new BackendError(
      'E_DTYPE_UNSUPPORTED',
      `native Select: got dtypes ${t.dtype} and ${e.dtype}, expected the same`,
    );
  }
  if (!isFloat(t)) return choose(backend, condition, t, e);
  const storage = commonStorage(backend, t, e);
  return backend.withStorage(t, storage, (p) =>
    backend.withStorage(e, storage, (q) => choose(backend, condition, p, q)),
  );
};

/** condition ? t : e, of one storage. */
function choose(backend: NativeBackend, condition: TensorInfo, t: TensorInfo, e: TensorInfo): TensorInfo {
  const storage = backend.storageOf(t);
  const y = backend.make(t.shape, t.dtype, storage);
  const size = sizeOf(t.shape);
  const addresses = [condition, t, e, y].map((tensor) => backend.address(tensor));
  const inner = Math.max(1, size / Math.max(1, sizeOf(condition.shape)));
  backend.device.launch(cellKernel('choose', storage), ...addresses, size, inner);
  return y;
}

export function registerIndexing(backendName: string): void {
  registerTable(backendName, {
    GatherV2: gatherV2,
    MimicGatherRows: gatherRows,
    MimicScatterAddRows: scatterAddRows,
    UnsortedSegmentSum: segmentSum,
    ScatterNd: scatterNd,
    GatherNd: gatherNd,
    OneHot: oneHot,
    Select: select,
  });
}
