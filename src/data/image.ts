import { readFile } from 'node:fs/promises';
import sharp, { type SharpOptions } from 'sharp';
import { DataError } from '../base/errors.js';
import type { Frames } from '../model/frames.js';
import { localFile } from './video/local-file.js';
import type { SamplingConfig } from './video/sampling.js';

const HINTS = {
  NOT_FOUND: 'check the path and the data root; only local files are read, never URLs',
  NOT_A_FILE: 'give the path of a regular file',
  UNREADABLE: 'give this user permission to read the file',
  EMPTY: 'copy or download the file again',
  TOO_LARGE: `give a file of at most 64 MiB`,
  FORMAT: 'convert it to JPEG, PNG or WebP',
  DIMENSIONS: 'scale it down to at most 25 million pixels',
  DAMAGED: 'copy or download the file again',
  TIMEOUT: 'convert it to a plain JPEG or PNG',
} as const;

const MAX_FILE_BYTES = 64 * 2 ** 20;
const TIMEOUT_SEC = 10;
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
  const name = typeof input === 'string' ? input : `${input.length} bytes`;
  const bytes = typeof input === 'string' ? await readImage(input) : input;
  if (bytes.length === 0) throw imageError('EMPTY', name, 'the picture has 0 bytes');
  const { size, resize } = sampling;
  try {
    // Two steps: sharp weighs colours by transparency when it resizes, even where the alpha channel is then removed.
    const whole = await sharp(bytes, LIMITS)
      .timeout({ seconds: TIMEOUT_SEC })
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const data = await sharp(whole.data, { raw: whole.info })
      .timeout({ seconds: TIMEOUT_SEC })
      .resize(size, size, { fit: 'cover', kernel: KERNELS[resize] })
      .raw()
      .toBuffer();
    const timing = { indices: Int32Array.of(0), timesSec: Float64Array.of(0) };
    return { data: Uint8Array.from(data), count: 1, height: size, width: size, ...timing };
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.trim() : String(cause);
    throw imageError(reasonOf(said), name, `the picture cannot be decoded (${said})`, { cause });
  }
}

/** Read here, not by libvips, which would take `[...]` at the end of a name for load options. */
async function readImage(path: string): Promise<Uint8Array> {
  const file = await localFile(path, imageError);
  if (file.bytes > MAX_FILE_BYTES) {
    throw imageError('TOO_LARGE', path, `the picture has ${file.bytes} bytes, the limit is ${MAX_FILE_BYTES}`);
  }
  return await readFile(file.path);
}

function reasonOf(message: string): keyof typeof HINTS {
  if (/pixel limit/.test(message)) return 'DIMENSIONS';
  if (/unsupported image format/.test(message)) return 'FORMAT';
  return /timeout/.test(message) ? 'TIMEOUT' : 'DAMAGED';
}

function imageError(
  reason: keyof typeof HINTS,
  path: string,
  problem: string,
  details: { cause?: unknown } = {},
): DataError {
  return new DataError(`E_IMAGE_${reason}`, `${problem}: ${path}`, {
    hint: HINTS[reason],
    context: { path },
    ...details,
  });
}
