import { readFile } from 'node:fs/promises';
import sharp, { type SharpOptions } from 'sharp';
import { DataError } from '../base/errors.js';
import type { Frames } from '../model/frames.js';
import type { RgbImage } from './pixels/rgb-image.js';
import { type TileOptions, tileImage } from './pixels/tile-image.js';
import { localFile } from './video/local-file.js';
import type { SamplingConfig } from './video/sampling.js';

/** Why a picture was refused; `E_IMAGE_` and the reason make the code. */
export const IMAGE_HINTS = {
  NOT_FOUND: 'check the path and the data root; only local files are read, never URLs',
  NOT_A_FILE: 'give the path of a regular file',
  UNREADABLE: 'give this user permission to read the file',
  EMPTY: 'copy or download the file again',
  TOO_LARGE: `give a file of at most 64 MiB`,
  FORMAT: 'convert it to JPEG, PNG or WebP',
  DIMENSIONS: 'scale it down to at most 25 million pixels and 65,535 a side',
  DAMAGED: 'copy or download the file again',
  TIMEOUT: 'convert it to a plain JPEG or PNG',
} as const;

const MAX_FILE_BYTES = 64 * 2 ** 20;
const TIMEOUT_SEC = 10;
/** JPEG's own limit; the tables of a resize grow with the side. */
const MAX_SIDE = 65_535;
/** A PNG of one colour unpacks to a thousand times its size; the picture's area is refused from its header. */
const LIMITS: SharpOptions = { limitInputPixels: 25e6, failOn: 'warning', pages: 1 };
/** libvips has no box filter; its triangle averages too when it shrinks. */
const KERNELS = { bicubic: 'cubic', bilinear: 'linear', area: 'linear' } as const;

// For the whole process: libvips has a loader for every format under the sun, SVG and TIFF among them, and these three are
// the fuzzed ones that pictures of videos come in.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp'] });

/**
 * Decodes a JPEG, PNG or WebP picture, turned upright, to one RGB frame: its centre square at `sampling.size`.
 *
 * @param input a local path, or the file's bytes
 * @returns uint8 [1, size, size, 3]; transparency is dropped, grey and CMYK become sRGB
 * @throws DataError E_IMAGE_NOT_FOUND | NOT_A_FILE | UNREADABLE | EMPTY | TOO_LARGE | FORMAT | DIMENSIONS | DAMAGED | TIMEOUT
 */
export async function decodeImage(
  input: string | Uint8Array,
  sampling: Pick<SamplingConfig, 'size' | 'resize'>,
): Promise<Frames> {
  const { data, width, height } = await decodeRgb(input);
  const { size, resize } = sampling;
  // A step of its own: sharp weighs colours by transparency when it resizes, even where the alpha channel is then removed.
  const square = await guarded(input, () =>
    sharp(data, { raw: { width, height, channels: 3 } })
      .timeout({ seconds: TIMEOUT_SEC })
      .resize(size, size, { fit: 'cover', kernel: KERNELS[resize] })
      .raw()
      .toBuffer(),
  );
  return framesOf(Uint8Array.from(square), 1, size);
}

/**
 * Decodes a picture, turned upright, to InternVL's tiles: as many as its shape asks for, then the whole as a thumbnail.
 *
 * Bytes are Pillow's, from the decoder on (0 differences on grey, 4:2:0, 4:2:2, 4:4:4 and progressive JPEG, PNG and WebP).
 * A colour profile is applied here, which Pillow leaves to its caller.
 *
 * @returns uint8 [tiles, size, size, 3]; see `tileImage`
 * @throws DataError as {@link decodeImage}
 */
export async function decodeImageTiles(input: string | Uint8Array, options: TileOptions): Promise<Frames> {
  const image = await decodeRgb(input);
  const { data, count } = tileImage(image, options);
  return framesOf(data, count, options.size);
}

/**
 * Decodes a JPEG, PNG or WebP picture, turned upright, at its own size.
 *
 * @throws DataError as {@link decodeImage}
 */
export async function decodeRgb(input: string | Uint8Array): Promise<RgbImage> {
  const bytes = typeof input === 'string' ? await readImage(input) : input;
  if (bytes.length === 0) throw imageError('EMPTY', nameOf(input), 'the picture has 0 bytes');
  const { data, info } = await guarded(input, () =>
    sharp(bytes, LIMITS)
      .timeout({ seconds: TIMEOUT_SEC })
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true }),
  );
  const { width, height } = info;
  if (Math.max(width, height) > MAX_SIDE) {
    throw imageError(
      'DIMENSIONS',
      nameOf(input),
      `the picture is ${width} x ${height}, the limit is ${MAX_SIDE} a side`,
    );
  }
  return { data, width, height };
}

function nameOf(input: string | Uint8Array): string {
  return typeof input === 'string' ? input : `${input.length} bytes`;
}

async function guarded<T>(input: string | Uint8Array, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.trim() : String(cause);
    throw imageError(reasonOf(said), nameOf(input), `the picture cannot be decoded (${said})`, { cause });
  }
}

/** A picture has no time. */
function framesOf(data: Uint8Array, count: number, size: number): Frames {
  const timing = { indices: new Int32Array(count), timesSec: new Float64Array(count) };
  return { data, count, height: size, width: size, ...timing };
}

/** Read here, not by libvips, which would take `[...]` at the end of a name for load options. */
async function readImage(path: string): Promise<Uint8Array> {
  const file = await localFile(path, imageError);
  if (file.bytes > MAX_FILE_BYTES) {
    throw imageError('TOO_LARGE', path, `the picture has ${file.bytes} bytes, the limit is ${MAX_FILE_BYTES}`);
  }
  return await readFile(file.path);
}

function reasonOf(message: string): keyof typeof IMAGE_HINTS {
  if (/pixel limit/.test(message)) return 'DIMENSIONS';
  if (/unsupported image format/.test(message)) return 'FORMAT';
  return /timeout/.test(message) ? 'TIMEOUT' : 'DAMAGED';
}

function imageError(
  reason: keyof typeof IMAGE_HINTS,
  path: string,
  problem: string,
  details: { cause?: unknown } = {},
): DataError {
  return new DataError(`E_IMAGE_${reason}`, `${problem}: ${path}`, {
    hint: IMAGE_HINTS[reason],
    context: { path },
    ...details,
  });
}
