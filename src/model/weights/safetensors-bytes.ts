/** Safetensors files that fit into memory: made and read whole, without a file. */
import { CheckpointError } from '../../base/errors.js';
import { type TensorData, viewAs } from './dtype.js';
import { headerLength, LENGTH_BYTES, parseHeader, type TensorInfo } from './safetensors-header.js';
import { layOut, type SafetensorsEntry } from './safetensors-writer.js';

export interface TensorValues extends Pick<TensorInfo, 'dtype' | 'shape'> {
  /** A view of the file's bytes; 16-bit floats as bit patterns. */
  readonly data: TensorData;
}

export interface SafetensorsBytes {
  /** In the file's order. */
  readonly tensors: ReadonlyMap<string, TensorValues>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * The bytes that `writeSafetensors` writes, in pieces to be written one after the other; values are not copied.
 *
 * @param path names the file in errors
 * @throws CheckpointError E_SAFETENSORS_ENTRY
 */
export function encodeSafetensors(
  path: string,
  entries: Iterable<SafetensorsEntry & { readonly data: TensorData }>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const { header, sorted, valuesOf } = layOut(path, entries, metadata);
  return [
    header,
    ...sorted.map((entry) => {
      const { buffer, byteOffset, byteLength } = valuesOf(entry, entry.data);
      return new Uint8Array(buffer, byteOffset, byteLength);
    }),
  ];
}

/**
 * @param bytes the whole file, untrusted; starts at a multiple of 8 of its buffer
 * @throws CheckpointError E_SAFETENSORS_*
 */
export function decodeSafetensors(path: string, bytes: Uint8Array<ArrayBuffer>): SafetensorsBytes {
  if (bytes.length < LENGTH_BYTES) {
    throw new CheckpointError('E_SAFETENSORS_TRUNCATED', `${path}: the file has ${bytes.length} bytes.`);
  }
  const length = headerLength(path, bytes.subarray(0, LENGTH_BYTES), bytes.length);
  const { tensors, metadata } = parseHeader(path, bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length);
  const values = Array.from(tensors, ([name, { dtype, shape, byteOffset, byteLength }]): [string, TensorValues] => [
    name,
    { dtype, shape, data: viewAs(dtype, bytes.subarray(byteOffset, byteOffset + byteLength)) },
  ]);
  return { tensors: new Map(values), metadata };
}
