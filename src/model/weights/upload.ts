/**
 * Weights from files to tensors, in bounded host memory.
 *
 * On our backend, bytes that are stored as they lie in the file stay there where the device can map it, or are read straight
 * into device memory; others pass through buffers of a few MiB on the device, where a kernel converts one while the next is
 * read. Other TF.js backends take a Float32Array.
 */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type FloatStorage, type MappedUse, STORAGE_BYTES } from '../../backend/device.js';
import { NativeBackend } from '../../backend/native-backend.js';
import { CheckpointError, ShapeError } from '../../base/errors.js';
import { bytesPerElement, type SafetensorsDtype, widener } from './dtype.js';
import type { RowRange, SourceTensor, WeightSource } from './source.js';

/** Elements converted at once. Two such buffers are in use, small enough that what was read is still in the processor's cache. */
const CHUNK_ELEMENTS = 2 ** 20;

/** Smaller tensors are copied: each mapping costs the kernel a record, and at least a page. */
const MIN_MAPPED_BYTES = 2 ** 14;

/** Bytes of one tensor that lie together, and where they belong among the result's elements. */
interface Run {
  readonly tensor: SourceTensor;
  readonly byteOffset: number;
  readonly firstElement: number;
  readonly elements: number;
}

/**
 * Reads rows of one or more stored tensors into one new float32 tensor, row below row in the order given.
 *
 * @param shape of the result; its size must be that of all rows together
 * @param storage how our backend keeps the result: F16, F32 and F64 are rounded to bf16 (nearest, ties to even), BF16 and
 *   F16 widened to f32 exactly; other backends hold f32 always
 * @param mapped lets the result stay in its file, if it can, and says how it will be used; without it the result is a copy
 * @returns a tensor that the caller owns
 * @throws CheckpointError E_WEIGHTS_DTYPE for integers and booleans, E_WEIGHTS_NO_TENSOR, E_WEIGHTS_ROWS for rows beyond a tensor,
 *   ShapeError E_WEIGHTS_SHAPE
 */
export async function uploadRows(
  source: WeightSource,
  rows: readonly RowRange[],
  shape: readonly number[],
  storage: FloatStorage,
  mapped?: MappedUse,
): Promise<tf.Tensor> {
  const runs = planRuns(source, rows, shape);
  const backend: unknown = tf.backend();
  if (backend instanceof NativeBackend) {
    const info =
      (mapped === undefined ? undefined : await mapFromFile(backend, source, runs, shape, storage, mapped)) ??
      (await uploadToDevice(backend, source, runs, shape, storage));
    return tf.engine().makeTensorFromTensorInfo(info);
  }
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (const run of runs) {
    for (const chunk of chunksOf(run)) {
      await readFloats(source, chunk, values.subarray(chunk.firstElement, chunk.firstElement + chunk.elements));
    }
  }
  return tf.tensor(values, [...shape], 'float32');
}

function planRuns(source: WeightSource, rows: readonly RowRange[], shape: readonly number[]): Run[] {
  let firstElement = 0;
  const runs = rows.map(({ tensor: name, start, count }): Run => {
    const tensor = source.tensors.get(name);
    if (tensor === undefined) {
      throw new CheckpointError('E_WEIGHTS_NO_TENSOR', `${source.path}: no tensor named ${JSON.stringify(name)}.`);
    }
    const { dtype } = tensor;
    if (widener(dtype) === undefined) {
      const message = `${tensor.file}: tensor ${name} is ${dtype}, expected a float type (F16, BF16, F32, F64).`;
      throw new CheckpointError('E_WEIGHTS_DTYPE', message, {
        hint: 'Integer weights are quantized ones: take the unquantized checkpoint.',
      });
    }
    const [length = 1, ...rest] = tensor.shape;
    if (!(start >= 0 && count >= 0 && start + count <= length)) {
      const message = `${tensor.file}: rows ${start} to ${start + count} of tensor ${name} were asked for, it has ${length}.`;
      throw new CheckpointError('E_WEIGHTS_ROWS', message);
    }
    const rowElements = rest.reduce((product, size) => product * size, 1);
    const run = {
      tensor,
      byteOffset: start * rowElements * bytesPerElement(dtype),
      firstElement,
      elements: count * rowElements,
    };
    firstElement += run.elements;
    return run;
  });
  const size = shape.reduce((product, n) => product * n, 1);
  if (size !== firstElement) {
    const names = rows.map(({ tensor }) => tensor).join(', ');
    const message = `${source.path}: rows of ${names} have ${firstElement} values, expected ${size} for [${shape}].`;
    throw new ShapeError('E_WEIGHTS_SHAPE', message);
  }
  return runs;
}

/** Undefined where the bytes do not lie together as they are to be stored, or the device has no use for a file. */
async function mapFromFile(
  backend: NativeBackend,
  source: WeightSource,
  runs: readonly Run[],
  shape: readonly number[],
  storage: FloatStorage,
  mapped: MappedUse,
): Promise<TensorInfo | undefined> {
  const [run, ...more] = runs;
  if (run === undefined || more.length > 0 || storageOf(run.tensor.dtype) !== storage) return undefined;
  const place = source.locate?.(run.tensor.name);
  const bytes = run.elements * STORAGE_BYTES[storage];
  if (place === undefined || bytes < MIN_MAPPED_BYTES) return undefined;
  const position = place.position + run.byteOffset;
  if (position % STORAGE_BYTES[storage] !== 0) return undefined;
  return backend.makeMapped([...shape], storage, { fd: place.fd, position, bytes }, mapped);
}

async function uploadToDevice(
  backend: NativeBackend,
  source: WeightSource,
  runs: readonly Run[],
  shape: readonly number[],
  storage: FloatStorage,
): Promise<TensorInfo> {
  const info = backend.make([...shape], 'float32', storage);
  try {
    const address = backend.address(info);
    for (const run of runs) {
      const target = address + run.firstElement * STORAGE_BYTES[storage];
      if (storageOf(run.tensor.dtype) === storage) await streamAsIs(backend, source, run, target);
      else await streamConverted(backend, source, run, target, storage);
    }
  } catch (error) {
    backend.discard(info);
    throw error;
  }
  return info;
}

/** How a file's type lies in device memory, when it can lie there as it is. */
function storageOf(dtype: SafetensorsDtype): FloatStorage | undefined {
  return dtype === 'F32' ? 'f32' : dtype === 'BF16' ? 'bf16' : undefined;
}

async function streamAsIs({ device }: NativeBackend, source: WeightSource, run: Run, target: number): Promise<void> {
  const { tensor, byteOffset } = run;
  await device.writePieces(target, run.elements * bytesPerElement(tensor.dtype), (piece, offset) =>
    source.readInto(tensor.name, piece, byteOffset + offset),
  );
}

/** Two buffers: while a kernel converts one, reads fill the other. */
async function streamConverted(
  backend: NativeBackend,
  source: WeightSource,
  run: Run,
  target: number,
  storage: FloatStorage,
): Promise<void> {
  const { device } = backend;
  const { dtype } = run.tensor;
  // F16 and F64 become f32 on the way into the buffer; no kernel reads them.
  const staged = storageOf(dtype) ?? 'f32';
  if (staged === storage) return streamWidened(backend, source, run, target);
  const kernel = staged === 'bf16' ? 'bf16_to_f32' : 'f32_to_bf16';
  const chunks = chunksOf(run);
  const bufferBytes = Math.min(CHUNK_ELEMENTS, run.elements) * STORAGE_BYTES[staged];
  await withBuffers(backend, Math.min(2, chunks.length), bufferBytes, async (buffers) => {
    const bufferOf = (index: number) => buffers[index % buffers.length] ?? 0;
    const fill = (chunk: Run, buffer: number) =>
      storageOf(dtype) === staged
        ? streamAsIs(backend, source, chunk, buffer)
        : streamWidened(backend, source, chunk, buffer);
    const [first] = chunks;
    let filling = first === undefined ? Promise.resolve() : fill(first, bufferOf(0));
    try {
      for (const [index, chunk] of chunks.entries()) {
        await filling;
        const next = chunks[index + 1];
        if (next !== undefined) filling = fill(next, bufferOf(index + 1));
        const to = target + (chunk.firstElement - run.firstElement) * STORAGE_BYTES[storage];
        device.launch(kernel, bufferOf(index), to, chunk.elements);
      }
    } finally {
      // The buffers must not be freed under a read.
      await filling.catch(() => undefined);
    }
  });
}

async function streamWidened({ device }: NativeBackend, source: WeightSource, run: Run, target: number): Promise<void> {
  const fileBytes = bytesPerElement(run.tensor.dtype);
  await device.writePieces(target, run.elements * 4, async (piece, offset) => {
    const first = offset / 4;
    const elements = piece.length / 4;
    const part = { ...run, byteOffset: run.byteOffset + first * fileBytes, elements };
    await readFloats(source, part, new Float32Array(piece.buffer, piece.byteOffset, elements));
  });
}

async function readFloats(source: WeightSource, { tensor, byteOffset, elements }: Run, out: Float32Array) {
  const bytes = new Uint8Array(elements * bytesPerElement(tensor.dtype));
  await source.readInto(tensor.name, bytes, byteOffset);
  widener(tensor.dtype)?.(bytes, out);
}

function chunksOf(run: Run): Run[] {
  const fileBytes = bytesPerElement(run.tensor.dtype);
  return Array.from({ length: Math.ceil(run.elements / CHUNK_ELEMENTS) }, (_, index) => {
    const first = index * CHUNK_ELEMENTS;
    const elements = Math.min(CHUNK_ELEMENTS, run.elements - first);
    return { ...run, byteOffset: run.byteOffset + first * fileBytes, firstElement: run.firstElement + first, elements };
  });
}

async function withBuffers(
  { device }: NativeBackend,
  count: number,
  bytes: number,
  use: (addresses: readonly number[]) => Promise<void>,
): Promise<void> {
  const addresses: number[] = [];
  try {
    for (let i = 0; i < count; i++) addresses.push(device.alloc(bytes));
    await use(addresses);
  } finally {
    for (const address of addresses) device.free(address, bytes);
  }
}
