import * as tf from '@tensorflow/tfjs-core';

/**
 * Runs `compute` unrecorded: to the tape its result is a constant, whose gradient the caller accounts for elsewhere.
 *
 * @returns a tensor owned by the caller
 */
export function offTape(compute: () => tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))();
}
