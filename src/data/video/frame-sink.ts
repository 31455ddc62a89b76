import { Writable } from 'node:stream';

/** Takes the pictures that ffmpeg writes. */
export interface PictureSink extends Writable {
  /** What is wrong with what came, where `kept` pictures should have; undefined when nothing is. */
  complaint(kept: number): string | undefined;
}

/**
 * Collects raw frames from ffmpeg's standard output into one buffer that never exceeds `maxBytes`.
 *
 * Past the budget it frees what it has and swallows the rest: the run then still counts and times every frame, which a
 * second pass needs.
 */
export class FrameSink extends Writable implements PictureSink {
  private buffer: Uint8Array;
  private used = 0;
  private full = false;

  /** @param expectedFrames allocated at once when known; otherwise the buffer grows by doubling */
  constructor(
    private readonly frameBytes: number,
    private readonly maxBytes: number,
    expectedFrames?: number,
  ) {
    // fluent-ffmpeg takes 'close' for a lost consumer and kills ffmpeg, though it also follows a normal end.
    super({ emitClose: false });
    this.buffer = new Uint8Array(
      Math.min(maxBytes, expectedFrames === undefined ? 2 ** 16 : expectedFrames * frameBytes),
    );
  }

  /** Whether the budget was exceeded and the frames are gone. */
  get overflowed(): boolean {
    return this.full;
  }

  complaint(kept: number): string | undefined {
    if (this.full || this.used === kept * this.frameBytes) return undefined;
    return `ffmpeg wrote ${this.used} bytes, expected ${kept} frames of ${this.frameBytes}`;
  }

  /** The bytes received, [frames, size, size, 3] flattened. */
  bytes(): Uint8Array {
    // A buffer grown by doubling may be half empty: do not keep that half alive.
    return this.used === this.buffer.length ? this.buffer : this.buffer.slice(0, this.used);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (!this.full) this.append(chunk);
    done();
  }

  private append(chunk: Buffer): void {
    const needed = this.used + chunk.length;
    if (needed > this.maxBytes) {
      this.full = true;
      this.buffer = new Uint8Array(0);
      this.used = 0;
      return;
    }
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.min(this.maxBytes, Math.max(needed, 2 * this.buffer.length)));
      grown.set(this.buffer.subarray(0, this.used));
      this.buffer = grown;
    }
    this.buffer.set(chunk, this.used);
    this.used = needed;
  }
}
