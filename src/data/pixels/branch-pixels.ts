/** What each encoder's published processor makes of a decoded frame, for `fit: squash`. */

import type { Filter } from './resample-weights.js';
import { type PillowVersion, type ResizeWindow, resizePillow } from './resize-pillow.js';
import type { RgbImage } from './rgb-image.js';

/**
 * The whole picture squashed to a square, its shape given up: a video frame as InternVL sees it.
 *
 * @returns [size, size, 3]
 */
export function squashToSquare(image: RgbImage, size: number, filter: Filter, pillow: PillowVersion): Uint8Array {
  return resizePillow(image, size, size, filter, { pillow }).data;
}

/**
 * The centre square after the short side was scaled to `size` by Pillow's bilinear filter: a video frame as the published
 * TimeSformer checkpoints see it. The long side becomes its scaled length, rounded down.
 *
 * Only the square is computed, so a long thin picture costs no more than it.
 *
 * @returns [size, size, 3]
 * @source transformers, VideoMAEImageProcessor with `shortest_edge` and a centre crop
 */
export function cropToSquare(image: RgbImage, size: number, pillow: PillowVersion): Uint8Array {
  const { width, height } = image;
  const wide = width > height;
  const long = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  const [toWidth, toHeight] = wide ? [long, size] : [size, long];
  const window: ResizeWindow = {
    left: Math.floor((toWidth - size) / 2),
    top: Math.floor((toHeight - size) / 2),
    width: size,
    height: size,
  };
  return resizePillow(image, toWidth, toHeight, 'bilinear', { window, pillow }).data;
}
