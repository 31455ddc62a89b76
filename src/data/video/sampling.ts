import { z } from 'zod';
import { FILTERS } from '../pixels/resample-weights.js';

/** How frames are taken from a video and brought to the encoders' square. */
export const SamplingSchema = z.strictObject({
  /** Side of the encoders' square, in pixels. */
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
  /**
   * How a picture becomes a square.
   *
   * `crop`: ffmpeg scales the centre square with `resize`, and both branches see the same pixels.
   * `squash`: each encoder sees what its published processor makes of the frame, bit for bit. Spatial: the whole picture
   * squashed by Pillow's `resize` filter (InternVL: bicubic). Temporal: the short side scaled by Pillow's bilinear filter,
   * then the centre square (TimeSformer). Frames come from ffmpeg at their own size, pixels taken as square, and are
   * resized one at a time: 300 of 1080p cost 8 s of CPU where `crop` costs 4 and decoding alone 2.
   */
  fit: z
    .enum(['crop', 'squash'])
    .default('crop')
    .describe(
      'how a picture becomes a square: `crop` keeps its centre, for both branches; `squash` gives each branch the pixels of ' +
        "its base checkpoint's own processor: the whole picture squashed (InternVL), and the centre after a bilinear resize " +
        '(TimeSformer)',
    ),
  /** Interpolation; all three average when they shrink. With `squash` it is that of the spatial branch. */
  resize: z.enum(FILTERS).default('bicubic'),
  /** Whose order of passes `squash` follows; see resize-pillow.ts. */
  pillow: z
    .literal([12, 13])
    .default(12)
    .describe(
      'version of Pillow whose bytes `squash` gives: 12 stands for all before 13, which the released checkpoints were ' +
        'trained with; 13 differs where the height loses more than twice as many pixels as the width',
    ),
});

export type SamplingConfig = z.output<typeof SamplingSchema>;
