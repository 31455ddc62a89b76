import * as tf from '@tensorflow/tfjs-core';
import type { Frames } from './frames.js';

export interface PatchOptions {
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  /** Per-channel normalisation of pixels in [0, 1]. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/**
 * Normalised pixels cut into patches, so that the patch convolution is one linear layer.
 *
 * Done on the host straight from bytes: one pass, and a quarter of the upload of float frames plus a 6-D transpose.
 *
 * @param start first frame; `count` frames are cut
 * @returns [count, N, 3 p p] float32, patches row-major, values ordered (channel, row, column) as a conv weight is
 */
export function patchify(frames: Frames, start: number, count: number, options: PatchOptions): tf.Tensor3D {
  const { patchSize: p } = options;
  const { width, height, data } = frames;
  const rows = height / p;
  const columns = width / p;
  const area = p * p;
  const levels = [0, 1, 2].map((c) => byteLevels(options.mean[c] ?? 0, options.std[c] ?? 1)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const [red, green, blue] = levels;
  const out = new Float32Array(count * rows * columns * 3 * area);
  for (let frame = 0; frame < count; frame++) {
    for (let y = 0; y < height; y++) {
      let source = ((start + frame) * height + y) * width * 3;
      const patchRow = (frame * rows + Math.floor(y / p)) * columns;
      const inPatch = (y % p) * p;
      for (let column = 0; column < columns; column++) {
        let target = (patchRow + column) * 3 * area + inPatch;
        for (let x = 0; x < p; x++, target++, source += 3) {
          out[target] = red[data[source] as number] as number;
          out[target + area] = green[data[source + 1] as number] as number;
          out[target + 2 * area] = blue[data[source + 2] as number] as number;
        }
      }
    }
  }
  return tf.tensor3d(out, [count, rows * columns, 3 * area], 'float32');
}

function byteLevels(mean: number, std: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean) / std);
}
