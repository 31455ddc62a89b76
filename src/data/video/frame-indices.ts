import { roundHalfEven } from '../../base/half-even.js';

/**
 * The frame at the centre of each of `numFrames` equal segments of a clip of `frameCount` frames.
 *
 * idx_i = trunc(seg / 2 + roundHalfEven(seg * i)), seg = (frameCount - 1) / numFrames. A clip shorter than `numFrames`
 * repeats frames.
 *
 * @returns `numFrames` non-decreasing frame numbers in [0, frameCount)
 * @throws RangeError when `frameCount` or `numFrames` is not a positive integer
 * @source InternVL's `get_index` (README and MVBench evaluation), without time bounds
 */
export function frameIndices(frameCount: number, numFrames: number): Int32Array {
  for (const [name, value] of Object.entries({ frameCount, numFrames })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`frameIndices: ${name} must be a positive integer, got ${value}`);
    }
  }
  const segment = (frameCount - 1) / numFrames;
  return Int32Array.from({ length: numFrames }, (_, i) => Math.trunc(segment / 2 + roundHalfEven(segment * i)));
}
