/**
 * Several samples in one row: positions restart with each, and none sees another.
 *
 * The rows of a sample are neighbours in memory, so attention runs sample by sample over slices: no mask, no work on pairs
 * of two samples, and the kernel is that of a plain row.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from '../../base/errors.js';
import { attention } from '../../ops/index.js';

/** Lengths of the samples in a row, in order; they sum to the row's length. */
export type Segments = readonly number[];

/** 0, 1, .. anew for each sample. */
export function segmentPositions(segments: Segments): Int32Array {
  return Int32Array.from(segments.flatMap((length) => Array.from({ length }, (_, i) => i)));
}

/** @throws ShapeError when the samples do not fill exactly one row, or keys of a cache stand before it */
export function checkSegments(segments: Segments, [batch = 1, length = 1]: readonly number[], hasCache: boolean): void {
  const sum = segments.reduce((total, part) => total + part, 0);
  if (batch === 1 && sum === length && !hasCache && segments.every((part) => part > 0)) return;
  const cache = hasCache ? ' behind a cache' : '';
  throw new ShapeError(
    'E_SEGMENTS',
    `Decoder: segments of ${segments.join(' + ')} tokens for ${batch} rows of ${length}${cache}, expected one row that they fill.`,
  );
}

/** Causal attention within each sample. @param q_1THD [1, T, H, D] @param k_1TGD [1, T, G, D] @returns [1, T, H, D] */
export function segmentedAttention(
  q_1THD: tf.Tensor,
  k_1TGD: tf.Tensor,
  v_1TGD: tf.Tensor,
  segments: Segments,
): tf.Tensor {
  if (segments.length === 1) return attention(q_1THD, k_1TGD, v_1TGD, { causal: true });
  return tf.tidy(() => {
    // One split each: its gradient is one concatenation, where that of a slice pads to the whole row, sample by sample.
    const split = (x: tf.Tensor) => tf.split(x, [...segments], 1);
    const [q, k, v] = [split(q_1THD), split(k_1TGD), split(v_1TGD)];
    const parts = q.map((q_part, i) => attention(q_part, partOf(k, i), partOf(v, i), { causal: true }));
    return tf.concat(parts, 1);
  });
}

function partOf(parts: readonly tf.Tensor[], i: number): tf.Tensor {
  const part = parts[i];
  if (part === undefined) throw new RangeError(`segmentedAttention: part ${i} of ${parts.length}`);
  return part;
}
