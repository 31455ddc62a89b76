import { stat } from 'node:fs/promises';
import { DataError } from '../../base/errors.js';
import { sha256, sha256File } from '../../base/hash.js';
import { decodeRgb } from '../image.js';
import { decodeVideo } from '../video/decode-video.js';
import { filesOf, type VideoInput } from '../video/open-video.js';
import type { Pool } from '../video/pool.js';
import { SamplingSchema } from '../video/sampling.js';
import { isVariableRate, type ScanEntry } from './scan-entry.js';

/** What a scan finds out about files, whatever record they belong to. */
export type ScanResult = Omit<ScanEntry, 'id' | 'path'>;

/** Every frame is decoded; how large it is kept does not matter. */
const SMALL = SamplingSchema.parse({ size: 8, numFrames: 1, resize: 'bilinear' });

/** The file is to blame; not the decoder's absence, memory or a bug. */
const FILE_FAULT = /^E_(VIDEO_(?!ABORTED)|IMAGE_)/;

/**
 * Decodes all of a video or of pictures, as strictly as training does.
 *
 * @throws what is no file's fault; DataError E_VIDEO_ABORTED
 */
export async function scanInput(input: VideoInput, pool: Pool, signal?: AbortSignal): Promise<ScanResult> {
  const facts = await factsOf(filesOf(input));
  try {
    return { ...facts, ...(typeof input === 'string' ? await video(input, pool, signal) : await pictures(input)) };
  } catch (error) {
    if (!(error instanceof DataError) || !FILE_FAULT.test(error.code)) throw error;
    return { status: 'quarantined', code: error.code, message: error.message, ...facts };
  }

  async function video(path: string, decoders: Pool, abort?: AbortSignal): Promise<ScanResult> {
    const { source, temporal, repairs } = await decodeVideo(path, SMALL, {
      pool: decoders,
      ...(abort === undefined ? {} : { signal: abort }),
    });
    const { codec, width, height, durationSec, avgFps, rotationDeg, frameCount } = source;
    return {
      ...(repairs.length === 0 ? { status: 'ok' } : { status: 'repaired', repairs: [...repairs] }),
      ...{ codec, width, height, durationSec, fps: avgFps, rotationDeg, frames: frameCount },
      vfr: isVariableRate(temporal.timesSec),
    };
  }

  async function pictures(files: Exclude<VideoInput, string>): Promise<ScanResult> {
    const paths = filesOf(files);
    let size: { width: number; height: number } | undefined;
    for (const path of paths) {
      signal?.throwIfAborted();
      const { width, height } = await decodeRgb(path);
      size ??= { width, height };
    }
    return { status: 'ok', ...size, frames: paths.length };
  }
}

/** Size and hash; nothing of files that cannot be read, which decoding then says. */
async function factsOf(paths: readonly string[]): Promise<Pick<ScanResult, 'bytes' | 'sha256'>> {
  try {
    let bytes = 0;
    const hashes: string[] = [];
    for (const path of paths) {
      const status = await stat(path);
      // A device or a FIFO would be read for ever.
      if (!status.isFile()) return {};
      bytes += status.size;
      hashes.push(await sha256File(path));
    }
    return { bytes, sha256: hashes.length === 1 ? (hashes[0] ?? '') : sha256(hashes.join('')) };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return {};
    throw error;
  }
}
