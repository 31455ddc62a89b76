/**
 * Reads safetensors files by ranges: opening reads the header alone, and each tensor's bytes only when asked, so files
 * of any size open at once. The file is untrusted; see safetensors-header.ts for what is checked.
 */
import { CheckpointError } from '../../base/errors.js';
import { bytesPerElement, type TensorData, viewAs, widener } from './dtype.js';
import { type FileCodes, RangedFile } from './ranged-file.js';
import {
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from './safetensors-header.js';

export { type SafetensorsEntry, writeSafetensors } from './safetensors-writer.js';

const CODES: FileCodes = { file: 'E_SAFETENSORS_FILE', truncated: 'E_SAFETENSORS_TRUNCATED' };
/** Bytes converted at once, a multiple of every element size. */
const WIDEN_CHUNK_BYTES = 2 ** 23;

/**
 * Opens a file and checks its header; the caller closes the result.
 *
 * @throws CheckpointError E_SAFETENSORS_*: the code names the broken rule, the message the file
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await RangedFile.open(path, CODES);
  try {
    const size = file.byteLength;
    if (size < LENGTH_BYTES) {
      const message = `${path}: the file has ${size} bytes, a safetensors file at least ${LENGTH_BYTES + 2}.`;
      throw new CheckpointError('E_SAFETENSORS_TRUNCATED', message);
    }
    const prefix = await file.read(LENGTH_BYTES, 0);
    const header = await file.read(headerLength(path, prefix, size), LENGTH_BYTES);
    return new SafetensorsFile(file, parseHeader(path, header, size));
  } catch (error) {
    await file.close();
    throw error;
  }
}

export class SafetensorsFile {
  /** In the header's order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;

  /** Use {@link openSafetensors}. */
  constructor(
    readonly file: RangedFile,
    header: SafetensorsHeader,
  ) {
    this.tensors = header.tensors;
    this.metadata = header.metadata;
  }

  get path(): string {
    return this.file.path;
  }

  /** A tensor's values as stored; 16-bit floats come as bit patterns. @throws CheckpointError for an absent name */
  async read(name: string): Promise<TensorData> {
    const { dtype, byteLength, byteOffset } = this.info(name);
    return viewAs(dtype, await this.file.read(byteLength, byteOffset));
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
      const bytes = await this.file.read(byteLength, byteOffset);
      return new Float32Array(bytes.buffer, bytes.byteOffset, byteLength / 4);
    }
    const elementBytes = bytesPerElement(dtype);
    const values = this.file.allocate(byteLength / elementBytes, (count) => new Float32Array(count));
    for (let done = 0; done < byteLength; done += WIDEN_CHUNK_BYTES) {
      const count = Math.min(WIDEN_CHUNK_BYTES, byteLength - done);
      const bytes = await this.file.read(count, byteOffset + done);
      widen(bytes, values.subarray(done / elementBytes, (done + count) / elementBytes));
    }
    return values;
  }

  async close(): Promise<void> {
    await this.file.close();
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
