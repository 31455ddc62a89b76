/** Whole tensors of a source, widened or as stored. */
import { CheckpointError } from '../base/errors.js';
import { bytesPerElement, type TensorData, viewAs, widener } from '../model/weights/dtype.js';
import type { RowRange, SourceTensor, WeightSource } from '../model/weights/source.js';

/** Bytes converted at once, a multiple of every element size. */
const CHUNK_BYTES = 2 ** 23;

function tensorOf(source: WeightSource, name: string): SourceTensor {
  const tensor = source.tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw new CheckpointError('E_WEIGHTS_NO_TENSOR', `${source.path}: no tensor named ${JSON.stringify(name)}.`);
}

/** @throws CheckpointError E_WEIGHTS_DTYPE for integers and booleans */
export async function readFloat32(source: WeightSource, name: string): Promise<Float32Array<ArrayBuffer>> {
  const { shape } = tensorOf(source, name);
  return readRowsFloat32(source, [{ tensor: name, start: 0, count: shape[0] ?? 1 }]);
}

/** Bytes from the start of a tensor at which a range of rows begins, and how many there are. */
function bytesOf({ shape, byteLength }: SourceTensor, { start, count }: RowRange): { offset: number; bytes: number } {
  const rowBytes = byteLength / Math.max(1, shape[0] ?? 1);
  return { offset: start * rowBytes, bytes: count * rowBytes };
}

/** Rows of one or several tensors, one range below the other, as float32. */
export async function readRowsFloat32(
  source: WeightSource,
  rows: readonly RowRange[],
): Promise<Float32Array<ArrayBuffer>> {
  const pieces = rows.map((range) => {
    const tensor = tensorOf(source, range.tensor);
    const widen = widener(tensor.dtype);
    if (widen === undefined) {
      const message = `${tensor.file}: tensor ${tensor.name} is ${tensor.dtype}, expected a float type (F16, BF16, F32, F64).`;
      throw new CheckpointError('E_WEIGHTS_DTYPE', message);
    }
    return { tensor, widen, size: bytesPerElement(tensor.dtype), ...bytesOf(tensor, range) };
  });
  const values = new Float32Array(pieces.reduce((sum, { bytes, size }) => sum + bytes / size, 0));
  let at = 0;
  for (const { tensor, widen, size, offset, bytes } of pieces) {
    for (let done = 0; done < bytes; done += CHUNK_BYTES) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, bytes - done));
      await source.readInto(tensor.name, chunk, offset + done);
      widen(chunk, values.subarray(at, at + chunk.length / size));
      at += chunk.length / size;
    }
  }
  return values;
}

/** Rows as they are stored, all of one dtype. */
export async function readRowsRaw(source: WeightSource, rows: readonly RowRange[]): Promise<TensorData> {
  const pieces = rows.map((range) => {
    const tensor = tensorOf(source, range.tensor);
    return { tensor, ...bytesOf(tensor, range) };
  });
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.bytes, 0));
  let at = 0;
  for (const { tensor, offset, bytes: count } of pieces) {
    await source.readInto(tensor.name, bytes.subarray(at, at + count), offset);
    at += count;
  }
  return viewAs(pieces[0]?.tensor.dtype ?? 'F32', bytes);
}
