import * as tf from '@tensorflow/tfjs-core';

/** Hands `run` an int32 tensor of host values and disposes it afterwards; the tape keeps its own reference. */
export function withInt32<T>(values: Int32Array, shape: number[], run: (tensor: tf.Tensor) => T): T {
  const tensor = tf.tensor(values, shape, 'int32');
  try {
    return run(tensor);
  } finally {
    tensor.dispose();
  }
}
