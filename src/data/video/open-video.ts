/** A video however it lies on disk: one file, or image files with their times. */
import { join } from 'node:path';
import type { VideoFrames } from '../../model/frames.js';
import { decodeImage, decodeRgb } from '../image.js';
import type { VideoSource } from '../tasks/types.js';
import { BranchFrames } from './branch-frames.js';
import { type DecodeOptions, decodeVideo } from './decode-video.js';
import { planFrames, plannedFrames } from './frame-plan.js';
import type { SamplingConfig } from './sampling.js';
import { selectFrames } from './select-frames.js';

export interface FrameFiles {
  readonly frames: readonly string[];
  readonly frameTimesSec: readonly number[];
}

/** Path of a video file, or image files. */
export type VideoInput = string | FrameFiles;

/** Where a record's or question's pixels are, with paths below `root`. */
export function videoInput(root: string, source: Omit<VideoSource, 'videoId'>): VideoInput {
  const { videoPath, frames, frameTimesSec } = source;
  if (frames === undefined || frameTimesSec === undefined) return join(root, videoPath);
  return { frames: frames.map((path) => join(root, path)), frameTimesSec };
}

/** The same for the same pixels: what a cache of a run goes by. */
export function videoKey(input: VideoInput): string {
  return typeof input === 'string' ? input : input.frames.join('\n');
}

/**
 * Both branches' frames. Image files count as the frames of a stream: caps and sampling are those of a video file.
 *
 * @throws DataError E_VIDEO_*, E_IMAGE_* for the files; BackendError E_FFMPEG_*
 */
export async function openVideo(
  input: VideoInput,
  sampling: SamplingConfig,
  options: DecodeOptions = {},
): Promise<VideoFrames> {
  if (typeof input === 'string') return decodeVideo(input, sampling, options);
  const timesSec = Float64Array.from(input.frameTimesSec);
  const plan = planFrames(input.frames.length, sampling, timesSec);
  const stored = plannedFrames(plan);
  if (sampling.fit === 'squash') {
    const branches = new BranchFrames(plan, sampling);
    for (const index of stored) {
      options.signal?.throwIfAborted();
      branches.add(await decodeRgb(input.frames[index] ?? ''), index);
    }
    return branches.frames(timesSec);
  }
  const { size } = sampling;
  const data = new Uint8Array(stored.length * size * size * 3);
  for (const [row, index] of stored.entries()) {
    options.signal?.throwIfAborted();
    data.set((await decodeImage(input.frames[index] ?? '', sampling)).data, row * size * size * 3);
  }
  const pick = (indices: Int32Array) => selectFrames({ data, size, stored, timesSec }, indices);
  return { spatial: pick(plan.spatial), temporal: pick(plan.temporal) };
}
