import { z } from 'zod';

/** How frames are taken from a video and brought to the encoders' square. */
export const SamplingSchema = z.strictObject({
  /** Side of the square, in pixels: the centre of the picture, its short side scaled to `size`. */
  size: z.int().min(8).max(1024).default(448),
  /** Frames of the spatial branch, one from the centre of each equal segment. */
  numFrames: z.int().min(1).max(1024).default(8),
  /** The temporal branch sees every decoded frame unless one of these caps it. */
  temporal: z
    .strictObject({
      /** At most this many frames, from the centres of equal segments. */
      maxFrames: z.exactOptional(z.int().min(1)),
      /** At most this many frames a second, by timestamp. */
      fps: z.exactOptional(z.number().positive().max(240)),
    })
    .default({}),
  /** Interpolation; all three average when they shrink. */
  resize: z.enum(['bicubic', 'area', 'bilinear']).default('bicubic'),
});

export type SamplingConfig = z.output<typeof SamplingSchema>;
