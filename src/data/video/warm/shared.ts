import { log } from '../../../base/logger.js';
import { WarmFfmpeg } from './warm-ffmpeg.js';

/** One that keeps dying is not worth its starts. */
const MOST_STARTS = 3;
const started = new Map<string, { readonly warm: Promise<WarmFfmpeg | undefined>; readonly count: number }>();

/** This thread's warm ffmpeg, started at the first call; undefined where there can be none, or MIMIC_WARM_FFMPEG is 0. */
export async function warmFfmpeg(binary: string): Promise<WarmFfmpeg | undefined> {
  if (process.env['MIMIC_WARM_FFMPEG'] === '0') return undefined;
  const last = started.get(binary);
  const known = await last?.warm;
  if (known?.isAlive) return known;
  // Another caller may have started one meanwhile.
  if (started.get(binary) !== last) return warmFfmpeg(binary);
  if (last !== undefined && (known === undefined || last.count === MOST_STARTS)) return undefined;
  const warm = WarmFfmpeg.start(binary).catch((error: unknown) => {
    log.debug(`each video starts an ffmpeg of its own: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
  started.set(binary, { warm, count: (last?.count ?? 0) + 1 });
  return warm;
}
