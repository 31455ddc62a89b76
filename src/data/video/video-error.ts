import { DataError } from '../../base/errors.js';

/** Why a video was refused; `E_VIDEO_` and the reason make the code. */
export const VIDEO_HINTS = {
  NOT_FOUND: 'check video_path and the data root; only local files are read, never URLs',
  NOT_A_FILE: 'give the path of a regular file',
  UNREADABLE: 'give this user permission to read the file',
  EMPTY: 'copy or download the file again',
  FORMAT: 'convert it: ffmpeg -i IN -c:v libx264 -an OUT.mp4',
  NO_STREAM: 'the file has sound or data only; take it out of the data set',
  CODEC: 'convert it: ffmpeg -i IN -c:v libx264 -an OUT.mp4, or add the codec to limits.codecs',
  DIMENSIONS: 'scale it down: ffmpeg -i IN -vf scale=1280:-2 OUT.mp4, or raise limits.maxPixels',
  TOO_LONG: 'cut it: ffmpeg -i IN -t 600 -c copy OUT.mp4, or raise limits.maxDurationSec and limits.maxFrames',
  TRUNCATED: 'copy or download the file again; what is left of it is not the video that was meant',
  DAMAGED: 'copy or download the file again, or re-encode what decodes: ffmpeg -i IN -c:v libx264 -an OUT.mp4',
  TIMESTAMPS: 're-encode it with clean timestamps: ffmpeg -i IN -c:v libx264 -an OUT.mp4',
  BUDGET: 'set temporal.maxFrames or temporal.fps, lower size, or raise limits.maxBytes',
  TIMEOUT: 'raise limits.timeoutMs and limits.timeoutPerSec if the machine is slow; otherwise take the file out',
  ABORTED: 'the caller gave up; nothing is wrong with the file',
} as const;

export type VideoReason = keyof typeof VIDEO_HINTS;

/** A DataError `E_VIDEO_<reason>` whose message ends with the file. */
export function videoError(
  reason: VideoReason,
  path: string,
  problem: string,
  details: { context?: Record<string, unknown>; cause?: unknown } = {},
): DataError {
  return new DataError(`E_VIDEO_${reason}`, `${problem}: ${path}`, {
    hint: VIDEO_HINTS[reason],
    context: { path, ...details.context },
    ...(details.cause === undefined ? {} : { cause: details.cause }),
  });
}
