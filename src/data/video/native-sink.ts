import { Writable } from 'node:stream';
import type { RgbImage } from '../pixels/rgb-image.js';
import type { PictureSink } from './frame-sink.js';

const MAX_HEADER_BYTES = 32;
/** "P6", width, height and the largest level, each with one white space after it. */
const HEADER = /^P6\s(\d+)\s(\d+)\s255\s$/;
/** Of every codec that is read; resizing tables grow with the side. */
const MAX_SIDE = 65_535;

/**
 * Takes a stream of PPM pictures apart and hands each on as soon as it is whole; only one is ever held.
 *
 * Each picture states its size, so nothing depends on ffmpeg's log coming before the pixels.
 */
export class NativeSink extends Writable implements PictureSink {
  private header = '';
  private picture: RgbImage = { data: new Uint8Array(0), width: 0, height: 0 };
  /** Bytes of `picture` that are there; undefined while a header is read. */
  private filled: number | undefined;
  private pictures = 0;
  private problem: string | undefined;
  private failure: { readonly cause: unknown } | undefined;

  /** @param onPicture gets the pictures in order, from number 0; the bytes of one are overwritten by the next */
  constructor(
    private readonly maxPixels: number,
    private readonly onPicture: (picture: RgbImage, number: number) => void,
  ) {
    // As in FrameSink: 'close' would be taken for a lost consumer.
    super({ emitClose: false });
  }

  /** @throws what `onPicture` threw */
  complaint(kept: number): string | undefined {
    if (this.failure !== undefined) throw this.failure.cause;
    if (this.problem !== undefined) return this.problem;
    const partial = this.filled !== undefined || this.header !== '';
    if (this.pictures === kept && !partial) return undefined;
    return `ffmpeg wrote ${this.pictures} pictures${partial ? ' and a part of one' : ''}, expected ${kept}`;
  }

  /** After a problem the rest is swallowed: ffmpeg then ends by itself and its log says more. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    try {
      for (let at = 0; at < chunk.length && this.problem === undefined && this.failure === undefined; ) {
        at = this.filled === undefined ? this.readHeader(chunk, at) : this.fill(chunk, at, this.filled);
      }
    } catch (cause) {
      this.failure = { cause };
    }
    done();
  }

  private readHeader(chunk: Buffer, at: number): number {
    this.header += String.fromCharCode(chunk[at] ?? 0);
    const [, width, height] = (HEADER.exec(this.header) ?? []).map(Number);
    if (width !== undefined && height !== undefined) this.begin(width, height);
    else if (this.header.length > MAX_HEADER_BYTES) this.problem = 'ffmpeg wrote no PPM picture';
    return at + 1;
  }

  private begin(width: number, height: number): void {
    if (Math.min(width, height) < 1 || Math.max(width, height) > MAX_SIDE || width * height > this.maxPixels) {
      this.problem = `a picture has ${width} x ${height} pixels, the limits are ${MAX_SIDE} a side, ${this.maxPixels} in all`;
      return;
    }
    const bytes = width * height * 3;
    const data = this.picture.data.length === bytes ? this.picture.data : new Uint8Array(bytes);
    this.picture = { data, width, height };
    this.header = '';
    this.filled = 0;
  }

  private fill(chunk: Buffer, at: number, filled: number): number {
    const { data } = this.picture;
    const end = Math.min(chunk.length, at + data.length - filled);
    data.set(chunk.subarray(at, end), filled);
    this.filled = filled + end - at;
    if (this.filled === data.length) {
      this.filled = undefined;
      this.onPicture(this.picture, this.pictures++);
    }
    return end;
  }
}
