/** A regular file that is read by ranges; what it holds is untrusted, and may shrink while it is read. */
import { constants as bufferConstants } from 'node:buffer';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { CheckpointError } from '../../base/errors.js';

/** One read call transfers less than 2 GiB on Linux. */
const MAX_READ_BYTES = 2 ** 30;

/** Error codes of a format: for a file that cannot be read, and for one that ends too early. */
export interface FileCodes {
  readonly file: string;
  readonly truncated: string;
}

export class RangedFile {
  private constructor(
    readonly path: string,
    readonly byteLength: number,
    private readonly handle: FileHandle,
    private readonly codes: FileCodes,
  ) {}

  /** @throws CheckpointError `codes.file` when it is absent or no regular file */
  static async open(path: string, codes: FileCodes): Promise<RangedFile> {
    try {
      // Asked before opening: opening a named pipe would wait for its writer.
      if ((await stat(path)).isFile()) {
        const handle = await open(path, 'r');
        return new RangedFile(path, (await handle.stat()).size, handle, codes);
      }
    } catch (cause) {
      const message = `${path}: the file cannot be opened (${(cause as Error).message}).`;
      throw new CheckpointError(codes.file, message, { cause });
    }
    throw new CheckpointError(codes.file, `${path}: expected a regular file.`);
  }

  get fd(): number {
    return this.handle.fd;
  }

  /** Fills `out` from `position` on. @throws CheckpointError `codes.truncated` when the file ends before */
  async readInto(out: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < out.length; ) {
      const count = Math.min(MAX_READ_BYTES, out.length - done);
      const bytesRead = await this.readSome(out, done, count, position + done);
      if (bytesRead === 0) {
        const message = `${this.path}: the file ended at byte ${position + done} while it was being read.`;
        throw new CheckpointError(this.codes.truncated, message, { hint: 'Another program is writing to it.' });
      }
      done += bytesRead;
    }
  }

  async read(byteLength: number, position: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = this.allocate(byteLength, (count) => new Uint8Array(count));
    await this.readInto(bytes, position);
    return bytes;
  }

  /** Allocation that names the file: a sparse file may declare a tensor larger than any memory. */
  allocate<T>(count: number, create: (count: number) => T): T {
    try {
      return create(count);
    } catch (cause) {
      const limit = `one array holds at most ${bufferConstants.MAX_LENGTH} bytes here`;
      const message = `${this.path}: no memory for a tensor of ${count} elements or bytes (${limit}).`;
      throw new CheckpointError('E_SAFETENSORS_TENSOR_SIZE', message, { cause });
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private async readSome(out: Uint8Array, at: number, count: number, position: number): Promise<number> {
    try {
      return (await this.handle.read(out, at, count, position)).bytesRead;
    } catch (cause) {
      const message = `${this.path}: reading ${count} bytes at ${position} failed (${(cause as Error).message}).`;
      throw new CheckpointError(this.codes.file, message, { cause });
    }
  }
}
