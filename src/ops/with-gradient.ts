import * as tf from '@tensorflow/tfjs-core';

/**
 * A value with a gradient of its own, for which the tape keeps no tensor: `gradient` may know shapes, and what outlives
 * the backward pass.
 *
 * @param inputs what the value depends on; `gradient` gives one tensor for each
 */
export function withGradient(
  inputs: readonly tf.Tensor[],
  value: () => tf.Tensor,
  gradient: (dy: tf.Tensor) => tf.Tensor | tf.Tensor[],
): tf.Tensor {
  // A scope of its own: the engine takes its name for the kernel's, and composed definitions run in scopes named after kernels.
  return tf.tidy('withGradient', () => tf.customGrad(() => ({ value: value(), gradFunc: gradient }))(...inputs));
}
