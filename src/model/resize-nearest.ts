import * as tf from '@tensorflow/tfjs-core';

/** Nearest-neighbour resize of one axis: source index = floor(target * from / to), as torch and TimeSformer do. */
export function resizeNearest(x: tf.Tensor, axis: number, to: number): tf.Tensor {
  const from = x.shape[axis] ?? 0;
  if (from === to) return x;
  const indices = Int32Array.from({ length: to }, (_, i) => Math.floor((i * from) / to));
  return tf.gather(x, tf.tensor1d(indices, 'int32'), axis);
}
