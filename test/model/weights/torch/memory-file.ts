import type { RangeReader } from '../../../../src/model/weights/torch/zip-directory.js';

/** A file in memory that refuses reads beyond its end, and remembers the largest. */
export class MemoryFile implements RangeReader {
  readonly path = 'file.bin';
  largestRead = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get byteLength(): number {
    return this.bytes.length;
  }

  async read(byteLength: number, position: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(position >= 0 && byteLength >= 0 && position + byteLength <= this.bytes.length)) {
      throw new RangeError(`read of ${byteLength} bytes at ${position} of ${this.bytes.length}`);
    }
    this.largestRead = Math.max(this.largestRead, byteLength);
    return Uint8Array.from(this.bytes.subarray(position, position + byteLength));
  }
}
