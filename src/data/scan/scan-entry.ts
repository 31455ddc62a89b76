import { z } from 'zod';

/** What a scan says of one record's files: a line of its report. Without `code` every frame came. */
export const ScanEntry = z.strictObject({
  /** Of the record. */
  id: z.string(),
  /** As the record has it; the first of several pictures. */
  path: z.string(),
  /** repaired: every frame came, but the decoder met errors on the way. quarantined: training would refuse it. */
  status: z.enum(['ok', 'repaired', 'quarantined']),
  /** Why it is quarantined: E_VIDEO_* or E_IMAGE_*. */
  code: z.string().optional(),
  message: z.string().optional(),
  /** What the decoder got over. */
  repairs: z.array(z.string()).optional(),
  bytes: z.int().optional(),
  /** Of the file; of several pictures, of their hashes one after the other. */
  sha256: z.string().optional(),
  codec: z.string().optional(),
  /** Stored picture, before rotation. */
  width: z.int().optional(),
  height: z.int().optional(),
  durationSec: z.number().optional(),
  /** Mean over the timestamps. */
  fps: z.number().optional(),
  /** The frame rate varies. */
  vfr: z.boolean().optional(),
  /** Clockwise turn that the file asks for. */
  rotationDeg: z.number().optional(),
  frames: z.int().optional(),
});
export type ScanEntry = z.output<typeof ScanEntry>;

/** A slack of one clock tick of Matroska's milliseconds, and of rates that no clock divides. */
const SLACK_SEC = 0.0015;
const SLACK_SHARE = 0.05;

/** Whether the time between frames changes by more than rounding to the container's clock explains. */
export function isVariableRate(timesSec: Float64Array): boolean {
  const gaps = timesSec.slice(1).map((time, i) => time - (timesSec[i] ?? 0));
  if (gaps.length < 2) return false;
  const middle = gaps.slice().sort()[gaps.length >> 1] ?? 0;
  const slack = Math.max(SLACK_SEC, SLACK_SHARE * middle);
  return gaps.some((gap) => Math.abs(gap - middle) > slack);
}
