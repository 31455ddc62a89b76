import { open, rename, rm } from 'node:fs/promises';
import { CheckpointError } from '../../base/errors.js';
import { bytesPerElement, isStorageOf, type SafetensorsDtype, type TensorData } from './dtype.js';
import { float32ToBfloat16, float32ToFloat16 } from './half.js';
import { LENGTH_BYTES, MAX_HEADER_BYTES } from './safetensors-header.js';

export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /**
   * The values, or a function called when it is their turn, so that only one tensor need be in memory. Float32Array is
   * taken for F16 and BF16 too and rounded to nearest even; every other dtype needs the array that stores it.
   */
  readonly data: TensorData | (() => TensorData | Promise<TensorData>);
}

/**
 * Writes a file that appears under its name only when whole: written beside it, fsynced, renamed.
 *
 * The same entries give the same bytes: tensors are laid out by falling element size, then by name, which aligns each.
 *
 * @throws CheckpointError E_SAFETENSORS_ENTRY for a duplicate name or values that do not fit; otherwise the system's error
 */
export async function writeSafetensors(
  path: string,
  entries: Iterable<SafetensorsEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { header, sorted, valuesOf } = layOut(path, entries, metadata);
  const temporary = `${path}.tmp-${process.pid}`;
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(header);
      for (const entry of sorted) {
        const given = typeof entry.data === 'function' ? await entry.data() : entry.data;
        const { buffer, byteOffset, byteLength } = valuesOf(entry, given);
        await handle.writeFile(new Uint8Array(buffer, byteOffset, byteLength));
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** What a file begins with, the order of its values, and how each entry's values are stored. */
export function layOut<Entry extends SafetensorsEntry>(
  path: string,
  entries: Iterable<Entry>,
  metadata: Readonly<Record<string, string>>,
) {
  const sorted = [...entries].sort(byAlignmentThenName);
  const valuesOf = (entry: Entry, given: TensorData) => storedValues(path, entry, given);
  return { header: encodeHeader(path, sorted, metadata), sorted, valuesOf };
}

/** Size of an entry's values in the file. */
export function entryBytes({ dtype, shape }: Pick<SafetensorsEntry, 'dtype' | 'shape'>): number {
  return shape.reduce((product, size) => product * size, bytesPerElement(dtype));
}

function byAlignmentThenName(a: SafetensorsEntry, b: SafetensorsEntry): number {
  return bytesPerElement(b.dtype) - bytesPerElement(a.dtype) || (a.name < b.name ? -1 : 1);
}

/** Length field and JSON, padded with spaces so that the values start at a multiple of 8. */
function encodeHeader(path: string, entries: readonly SafetensorsEntry[], metadata: Readonly<Record<string, string>>) {
  const names = new Set<string>();
  // Joined by hand: an object would swallow a tensor named __proto__.
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let end = 0;
  for (const entry of entries) {
    const { name, dtype, shape } = entry;
    if (names.has(name)) throw entryError(path, name, 'its name appears twice');
    if (name === '__metadata__') throw entryError(path, name, 'the format reserves this name');
    if (/\p{Surrogate}/u.test(name)) throw entryError(path, name, 'its name holds half of a surrogate pair');
    names.add(name);
    const begin = end;
    end += entryBytes(entry);
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || !Number.isSafeInteger(end)) {
      throw entryError(path, name, `its shape is [${shape}], expected integers whose product stays below 2^53`);
    }
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const json = Buffer.from(`{${members.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > MAX_HEADER_BYTES) {
    const message = `${path}: the header of ${names.size} tensors takes ${padded} bytes, allowed are ${MAX_HEADER_BYTES}.`;
    throw new CheckpointError('E_SAFETENSORS_HEADER_LENGTH', message);
  }
  const header = Buffer.alloc(LENGTH_BYTES + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  json.copy(header, LENGTH_BYTES);
  return header;
}

function storedValues(path: string, entry: SafetensorsEntry, given: TensorData): TensorData {
  const { name, dtype, shape } = entry;
  const count = shape.reduce((product, size) => product * size, 1);
  if (given.length !== count) throw entryError(path, name, `${given.length} values, expected ${count} for [${shape}]`);
  if (isStorageOf(dtype, given)) return given;
  if (dtype === 'BF16' && given instanceof Float32Array) return float32ToBfloat16(given);
  if (dtype === 'F16' && given instanceof Float32Array) return float32ToFloat16(given);
  throw entryError(path, name, `a ${given.constructor.name} does not hold ${dtype}`);
}

function entryError(path: string, name: string, reason: string): CheckpointError {
  return new CheckpointError('E_SAFETENSORS_ENTRY', `${path}: cannot write tensor ${JSON.stringify(name)}: ${reason}.`);
}
