import { z } from 'zod';

export const BAD_VIDEO_POLICIES = ['error', 'skip', 'quarantine'] as const;

/** Keys of `data` that say what happens when a video cannot be decoded. */
export const BadVideoSettings = z.object({
  badVideo: z
    .enum(BAD_VIDEO_POLICIES)
    .default('quarantine')
    .describe(
      'what a video that cannot be decoded does: `error` ends the run; `quarantine` leaves its samples out from then on; ' +
        '`skip` leaves the sample out and tries again at its next visit. No other sample takes its place',
    ),
  badVideoMaxShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe(
      'the run ends when more than this share of its videos turned out bad; those listed in `quarantine` do not count',
    ),
  badVideoMaxInARow: z
    .int()
    .positive()
    .default(20)
    .describe('the run ends when more than this many samples in a row had a bad video: a disk that went away, say'),
  quarantine: z
    .string()
    .optional()
    .describe('JSONL file of videos to leave out: of `mimic data scan`, or quarantine.jsonl of an earlier run'),
});
export type BadVideoSettings = z.output<typeof BadVideoSettings>;
