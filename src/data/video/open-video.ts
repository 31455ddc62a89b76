/** A video however it lies on disk: one file, or image files with their times. Or pictures, which are no video. */
import { join } from 'node:path';
import type { Frames, VideoFrames } from '../../model/frames.js';
import { decodeImage, decodeImageTiles, decodeRgb } from '../image.js';
import type { TileOptions } from '../pixels/tile-image.js';
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

/** Pictures without time, each cut into tiles by its shape. */
export interface PictureFiles {
  readonly images: readonly string[];
}

/** Path of a video file, or image files. */
export type VideoInput = string | FrameFiles | PictureFiles;

export interface OpenOptions extends DecodeOptions {
  /** How pictures are cut; default: one tile each. */
  readonly tiles?: Omit<TileOptions, 'size'>;
}

export function isPictures(input: VideoInput): input is PictureFiles {
  return typeof input !== 'string' && 'images' in input;
}

/** All files of an input, in order. */
export function filesOf(input: VideoInput): readonly string[] {
  if (typeof input === 'string') return [input];
  return isPictures(input) ? input.images : input.frames;
}

/** Where a record's or question's pixels are, with paths below `root`. */
export function videoInput(root: string, source: Omit<VideoSource, 'videoId'>): VideoInput {
  const { videoPath, frames, frameTimesSec } = source;
  if (frames === undefined || frameTimesSec === undefined) return join(root, videoPath);
  return { frames: frames.map((path) => join(root, path)), frameTimesSec };
}

/** The same for the same pixels: what a cache of a run goes by. */
export function videoKey(input: VideoInput): string {
  return isPictures(input) ? `${input.images.join('\n')}\n(pictures)` : filesOf(input).join('\n');
}

/**
 * Both branches' frames; of pictures their tiles, one after the other. Image files count as the frames of a stream: caps and sampling are those of a video file.
 *
 * @throws DataError E_VIDEO_*, E_IMAGE_* for the files; BackendError E_FFMPEG_*
 */
export async function openVideo(
  input: VideoInput,
  sampling: SamplingConfig,
  options: OpenOptions = {},
): Promise<VideoFrames> {
  if (typeof input === 'string') return decodeVideo(input, sampling, options);
  if (isPictures(input)) return openPictures(input, sampling.size, options);
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

async function openPictures({ images }: PictureFiles, size: number, options: OpenOptions): Promise<VideoFrames> {
  const tiles = options.tiles ?? { maxTiles: 1, thumbnail: false };
  const parts: Frames[] = [];
  for (const path of images) {
    options.signal?.throwIfAborted();
    parts.push(await decodeImageTiles(path, { size, ...tiles }));
  }
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const data = new Uint8Array(count * size * size * 3);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  const timing = (length: number) => ({ indices: new Int32Array(length), timesSec: new Float64Array(length) });
  return {
    kind: 'image',
    spatial: { data, count, height: size, width: size, ...timing(count) },
    temporal: { data: new Uint8Array(0), count: 0, height: size, width: size, ...timing(0) },
  };
}
