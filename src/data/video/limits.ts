import { z } from 'zod';

/**
 * What one video may cost before it is refused. A video is untrusted input: its header lies, and 200 kB can unpack to
 * a gigabyte.
 */
export const VideoLimitsSchema = z.strictObject({
  /** Pixels of one stored picture: 16.8 M admits 4K, while an 8K picture costs ffmpeg hundreds of megabytes. */
  maxPixels: z
    .int()
    .positive()
    .default(4096 * 4096),
  maxDurationSec: z.number().positive().default(1800),
  /** Frames of the stream, kept or not. */
  maxFrames: z.int().positive().default(216_000),
  /** RGB bytes kept for one video. */
  maxBytes: z
    .int()
    .positive()
    .default(2 ** 30),
  /** Bytes of ffmpeg's log read before the file is given up (frame lines apart). */
  maxLogBytes: z
    .int()
    .positive()
    .default(2 ** 18),
  /** Codecs accepted, by ffmpeg's decoder family name. */
  codecs: z
    .array(z.string())
    .default([
      'h264',
      'hevc',
      'vp8',
      'vp9',
      'av1',
      'mpeg4',
      'mpeg2video',
      'h263',
      'mjpeg',
      'prores',
      'ffv1',
      'rawvideo',
    ]),
  /** Time for ffmpeg to open the file and report its streams. */
  headerTimeoutMs: z.int().positive().default(5_000),
  /** Wall clock of one decode: the larger of this and `timeoutPerSec` for each second of video. */
  timeoutMs: z.int().positive().default(30_000),
  timeoutPerSec: z.number().nonnegative().default(3),
});

export type VideoLimits = z.output<typeof VideoLimitsSchema>;

/** The defaults with `overrides` on top. */
export function videoLimits(overrides: Partial<VideoLimits> = {}): VideoLimits {
  return VideoLimitsSchema.parse(overrides);
}
