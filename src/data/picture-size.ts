/**
 * A picture's size from its file's header, without decoding: what counting tokens needs.
 *
 * Synchronous and a few small reads, so that a sample's length is known when it is drawn, one picture at a time.
 *
 * @source ITU-T T.81 B.2 (JPEG), W3C PNG 11.2.1 and 11.3.3, RFC 9649 2.4 to 2.7 (WebP), CIPA DC-008 4.6 (Exif orientation)
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { DataError } from '../base/errors.js';

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Exif values from here on turn the picture by a quarter. */
const FIRST_QUARTER_TURN = 5;
const ORIENTATION_TAG = 0x0112;
const MAX_EXIF_BYTES = 2 ** 16;

/** Reads `length` bytes at a place of the file; fewer at its end. */
type Read = (position: number, length: number) => Buffer;

interface Header extends PictureSize {
  /** The block that Exif writes, beginning with the byte order; empty without one. */
  readonly exif: Buffer;
}

/**
 * Width and height in pixels, turned upright as `decodeImage` turns it.
 *
 * @throws DataError E_IMAGE_NOT_FOUND when the file cannot be opened, E_IMAGE_FORMAT when it is no JPEG, PNG or WebP
 */
export function pictureSize(path: string): PictureSize {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw new DataError('E_IMAGE_NOT_FOUND', `the picture cannot be opened: ${path}`, {
      ...{ hint: 'check the path and the data root', context: { path }, cause },
    });
  }
  try {
    const read: Read = (position, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, position));
    };
    const { width, height, exif } = headerOf(read);
    const isTurned = orientationOf(exif) >= FIRST_QUARTER_TURN;
    return isTurned ? { width: height, height: width } : { width, height };
  } catch (cause) {
    throw new DataError('E_IMAGE_FORMAT', `no size in the header of the picture: ${path}`, {
      ...{ hint: 'give a JPEG, PNG or WebP file, whole', context: { path }, cause },
    });
  } finally {
    closeSync(file);
  }
}

function headerOf(read: Read): Header {
  const text = read(0, 16).toString('latin1');
  if (text.startsWith('\x89PNG\r\n')) return pngHeader(read);
  if (text.startsWith('\xff\xd8')) return jpegHeader(read);
  if (/^RIFF[\s\S]{4}WEBP/.test(text)) return webpHeader(read);
  throw new RangeError('neither JPEG, PNG nor WebP');
}

function pngHeader(read: Read): Header {
  const size = read(16, 8);
  let exif: Buffer = Buffer.alloc(0);
  // Chunks: length, name, data, checksum.
  for (let at = 8; ; ) {
    const chunk = read(at, 8);
    const name = chunk.toString('latin1', 4, 8);
    if (chunk.length < 8 || name === 'IEND') break;
    const length = chunk.readUInt32BE(0);
    if (name === 'eXIf') exif = read(at + 8, Math.min(length, MAX_EXIF_BYTES));
    at += 12 + length;
  }
  return { width: size.readUInt32BE(0), height: size.readUInt32BE(4), exif };
}

function jpegHeader(read: Read): Header {
  let exif: Buffer = Buffer.alloc(0);
  for (let at = 2; ; ) {
    const segment = read(at, 10);
    const marker = segment.readUInt8(1);
    if (segment.readUInt8(0) !== 0xff) throw new RangeError('no marker');
    // Fill bytes may stand before a marker.
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const length = segment.readUInt16BE(2);
    if (isStartOfFrame(marker)) return { width: segment.readUInt16BE(7), height: segment.readUInt16BE(5), exif };
    if (marker === 0xe1 && segment.toString('latin1', 4, 8) === 'Exif' && exif.length === 0) {
      exif = read(at + 10, length - 8);
    }
    at += 2 + length;
  }
}

/** SOF0 to SOF15; DHT, JPG and DAC stand between them. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function webpHeader(read: Read): Header {
  const first = read(12, 18);
  const data = first.subarray(8);
  const kind = first.toString('latin1', 0, 4);
  const none = { exif: Buffer.alloc(0) };
  if (kind === 'VP8 ') return { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff, ...none };
  if (kind === 'VP8L') {
    const bits = data.readUInt32LE(1);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, ...none };
  }
  if (kind !== 'VP8X') throw new RangeError(`WebP chunk ${kind}`);
  return { width: data.readUIntLE(4, 3) + 1, height: data.readUIntLE(7, 3) + 1, exif: webpExif(read) };
}

/** Behind the pixels, in a chunk of its own; some writers keep JPEG's prefix. */
function webpExif(read: Read): Buffer {
  for (let at = 12; ; ) {
    const chunk = read(at, 8);
    if (chunk.length < 8) return Buffer.alloc(0);
    const length = chunk.readUInt32LE(4);
    if (chunk.toString('latin1', 0, 4) === 'EXIF') {
      const exif = read(at + 8, Math.min(length, MAX_EXIF_BYTES));
      return exif.toString('latin1', 0, 4) === 'Exif' ? exif.subarray(6) : exif;
    }
    at += 8 + length + (length % 2);
  }
}

/** The tag of the first directory; 1, upright, where there is none or the block is damaged. */
function orientationOf(exif: Buffer): number {
  const order = exif.toString('latin1', 0, 2);
  if (exif.length < 8 || (order !== 'II' && order !== 'MM')) return 1;
  const u16 = (at: number) =>
    at + 2 > exif.length ? 0 : order === 'II' ? exif.readUInt16LE(at) : exif.readUInt16BE(at);
  const directory = order === 'II' ? exif.readUInt32LE(4) : exif.readUInt32BE(4);
  for (let i = 0, entry = directory + 2; i < u16(directory); i++, entry += 12) {
    if (u16(entry) === ORIENTATION_TAG) return u16(entry + 8);
  }
  return 1;
}
