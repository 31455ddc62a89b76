import * as tf from '@tensorflow/tfjs-core';
import { runFused } from './fused.js';

/**
 * Euclidean norm of all tensors taken as one vector, for gradient clipping and logs.
 *
 * Each tensor's sum of squares is taken on the device; the sums are read together, and added in float64.
 *
 * @param tensors float32 of any shapes; none gives 0
 * @returns the norm; waits for the device
 */
export function globalNorm(tensors: readonly tf.Tensor[]): number {
  if (tensors.length === 0) return 0;
  const sums = tf.tidy('globalNorm', () => {
    const inputs = Object.fromEntries(tensors.map((x, i) => [`x${i}`, x]));
    const squares = () => tf.stack(tensors.map((x) => tf.sum(tf.square(x))));
    return runFused('MimicSumSquaresMany', inputs, {}, squares).dataSync();
  });
  let total = 0;
  for (const sum of sums) total += sum;
  return Math.sqrt(total);
}
