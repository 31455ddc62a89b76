import type { MimicError } from '../../base/errors.js';
import { ffmpegAbsent } from './ffmpeg-binary.js';
import type { FfmpegLog } from './ffmpeg-log.js';
import { type VideoReason, videoError } from './video-error.js';

/** First match wins; the texts have been stable since ffmpeg 2 and are checked by the tests on the installed one. */
const REASONS: readonly (readonly [RegExp, VideoReason])[] = [
  [/matches no streams/, 'NO_STREAM'],
  [/exceeds specified max pixel count|Picture size \d+x\d+ is invalid/, 'DIMENSIONS'],
  [/[Dd]ecoder .*not found|no decoder found/, 'CODEC'],
  [/not on whitelist/, 'FORMAT'],
  [/moov atom not found|partial file|ended prematurely|corrupt input packet/, 'TRUNCATED'],
];

/** The error for a run that ended by itself, from how the process ended and the lines that it logged as errors. */
export function ffmpegFailure(path: string, log: FfmpegLog, cause: Error | undefined): MimicError {
  if (cause !== undefined && 'syscall' in cause) return ffmpegAbsent('ffmpeg', cause);
  const frames = log.timesUs.length;
  const said = log.errors[0] ?? cause?.message ?? 'no message';
  const matched = REASONS.find(([pattern]) => log.errors.some((line) => pattern.test(line)))?.[1];
  const reason = matched ?? (log.header === undefined ? 'FORMAT' : 'DAMAGED');
  const where = log.header === undefined ? 'ffmpeg cannot open the video' : `decoding failed after ${frames} frames`;
  return videoError(reason, path, `${where} (${said})`, { context: { frames, log: log.errors }, cause });
}
