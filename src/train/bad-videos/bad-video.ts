import { z } from 'zod';
import { DataError } from '../../base/errors.js';
import { IMAGE_HINTS } from '../../data/image.js';
import type { VideoRecord } from '../../data/record.js';
import { VIDEO_HINTS } from '../../data/video/video-error.js';

/** A video that is left out, and why. */
export const BadVideo = z.strictObject({
  /** Of the record. */
  id: z.string(),
  /** As the record has it; the first picture of a record of pictures. */
  path: z.string(),
  /** E_VIDEO_* or E_IMAGE_*. */
  code: z.string(),
  /** Optimizer step that first met it; null: it was on the list that the run was given. */
  step: z.int().nonnegative().nullable(),
});
export type BadVideo = z.output<typeof BadVideo>;

/** What became of a sample: 0 its video was decoded, `NOT_TRIED`, or 1 + the place of the reason in REASON_CODES. */
export type Outcome = number;
export const DECODED: Outcome = 0;
export const NOT_TRIED: Outcome = -1;

/** Why a file is bad, in an order that is the same on all ranks. A decode that was given up says nothing of the file. */
export const REASON_CODES: readonly string[] = [
  ...Object.keys(VIDEO_HINTS).map((reason) => `E_VIDEO_${reason}`),
  ...Object.keys(IMAGE_HINTS).map((reason) => `E_IMAGE_${reason}`),
].filter((code) => code !== 'E_VIDEO_ABORTED');

/** @returns undefined when the error is not the file's: no ffmpeg, no memory, a bug */
export function outcomeOf(error: unknown): Outcome | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const place = REASON_CODES.indexOf(code);
  return place === -1 ? undefined : 1 + place;
}

/** For the policy `error`: the same error, with the record that it belongs to. */
export function nameRecord(id: string, error: DataError): DataError {
  return new DataError(error.code, `Record ${id}: ${error.message}`, {
    hint: `${error.hint ?? 'mend the file'}; or set data.badVideo to quarantine`,
    context: { ...error.context, id },
    cause: error,
  });
}

/** Empty for text alone. */
export function recordPath({ video_path, frames, images }: VideoRecord): string {
  return video_path ?? frames?.[0] ?? images?.[0] ?? '';
}
