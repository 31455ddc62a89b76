/**
 * Reads safetensors files by ranges: opening reads the header alone, and each tensor's bytes only when asked, so files
 * of any size open at once. The file is untrusted; see safetensors-header.ts for what is checked.
 */
import { constants as bufferConstants } from 'node:buffer';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { CheckpointError } from '../../base/errors.js';
import { bytesPerElement, type TensorData, viewAs, widener } from './dtype.js';
import {
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from './safetensors-header.js';

export { type SafetensorsEntry, writeSafetensors } from './safetensors-writer.js';

/** One read call transfers less than 2 GiB on Linux. */
const MAX_READ_BYTES = 2 ** 30;
/** Bytes converted at once, a multiple of every element size. */
const WIDEN_CHUNK_BYTES = 2 ** 23;

/**
 * Opens a file and checks its header; the caller closes the result.
 *
 * @throws CheckpointError E_SAFETENSORS_*: the code names the broken rule, the message the file
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const handle = await openRegularFile(path);
  try {
    const { size } = await handle.stat();
    if (size < LENGTH_BYTES) {
      const message = `${path}: the file has ${size} bytes, a safetensors file at least ${LENGTH_BYTES + 2}.`;
      throw new CheckpointError('E_SAFETENSORS_TRUNCATED', message);
    }
    const prefix = await readExactly(path, handle, LENGTH_BYTES, 0);
    const header = await readExactly(path, handle, headerLength(path, prefix, size), LENGTH_BYTES);
    return new SafetensorsFile(path, handle, parseHeader(path, header, size));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export class SafetensorsFile {
  /** In the header's order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;

  /** Use {@link openSafetensors}. */
  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    header: SafetensorsHeader,
  ) {
    this.tensors = header.tensors;
    this.metadata = header.metadata;
  }

  /** A tensor's values as stored; 16-bit floats come as bit patterns. @throws CheckpointError for an absent name */
  async read(name: string): Promise<TensorData> {
    const { dtype, byteLength, byteOffset } = this.info(name);
    return viewAs(dtype, await readExactly(this.path, this.handle, byteLength, byteOffset));
  }

  /** A float tensor as float32: F16 and BF16 exactly, F64 rounded. @throws CheckpointError for other dtypes */
  async readFloat32(name: string): Promise<Float32Array<ArrayBuffer>> {
    const { dtype, byteLength, byteOffset } = this.info(name);
    const widen = widener(dtype);
    if (widen === undefined) {
      const message = `${this.path}: tensor ${name} is ${dtype}, expected a float type (F16, BF16, F32, F64).`;
      throw new CheckpointError('E_SAFETENSORS_DTYPE', message);
    }
    if (dtype === 'F32') {
      const bytes = await readExactly(this.path, this.handle, byteLength, byteOffset);
      return new Float32Array(bytes.buffer, bytes.byteOffset, byteLength / 4);
    }
    const elementBytes = bytesPerElement(dtype);
    const values = allocate(this.path, byteLength / elementBytes, (count) => new Float32Array(count));
    for (let done = 0; done < byteLength; done += WIDEN_CHUNK_BYTES) {
      const count = Math.min(WIDEN_CHUNK_BYTES, byteLength - done);
      const bytes = await readExactly(this.path, this.handle, count, byteOffset + done);
      widen(bytes, values.subarray(done / elementBytes, (done + count) / elementBytes));
    }
    return values;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info === undefined) {
      const message = `${this.path}: no tensor named ${JSON.stringify(name)} among its ${this.tensors.size}.`;
      throw new CheckpointError('E_SAFETENSORS_NO_TENSOR', message);
    }
    return info;
  }
}

async function openRegularFile(path: string): Promise<FileHandle> {
  try {
    // Asked before opening: opening a named pipe would wait for its writer.
    if ((await stat(path)).isFile()) return await open(path, 'r');
  } catch (cause) {
    const message = `${path}: the file cannot be opened (${(cause as Error).message}).`;
    throw new CheckpointError('E_SAFETENSORS_FILE', message, { cause });
  }
  throw new CheckpointError('E_SAFETENSORS_FILE', `${path}: expected a regular file.`);
}

async function readExactly(
  path: string,
  handle: FileHandle,
  byteLength: number,
  position: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocate(path, byteLength, (count) => new Uint8Array(count));
  for (let done = 0; done < byteLength; ) {
    const count = Math.min(MAX_READ_BYTES, byteLength - done);
    const bytesRead = await readSome(path, handle, bytes, done, count, position + done);
    if (bytesRead === 0) {
      const message = `${path}: the file ended at byte ${position + done} while it was being read.`;
      throw new CheckpointError('E_SAFETENSORS_TRUNCATED', message, { hint: 'Another program is writing to it.' });
    }
    done += bytesRead;
  }
  return bytes;
}

async function readSome(
  path: string,
  handle: FileHandle,
  out: Uint8Array,
  at: number,
  count: number,
  position: number,
) {
  try {
    return (await handle.read(out, at, count, position)).bytesRead;
  } catch (cause) {
    const message = `${path}: reading ${count} bytes at ${position} failed (${(cause as Error).message}).`;
    throw new CheckpointError('E_SAFETENSORS_FILE', message, { cause });
  }
}

/** Allocation that names the file: a sparse file may declare a tensor larger than any memory. */
function allocate<T>(path: string, count: number, create: (count: number) => T): T {
  try {
    return create(count);
  } catch (cause) {
    const limit = `one array holds at most ${bufferConstants.MAX_LENGTH} bytes here`;
    const message = `${path}: no memory for a tensor of ${count} elements or bytes (${limit}).`;
    throw new CheckpointError('E_SAFETENSORS_TENSOR_SIZE', message, { cause });
  }
}
