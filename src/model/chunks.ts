import * as tf from '@tensorflow/tfjs-core';

/**
 * Applies `fn` to slices of at most `chunkSize` along `axis` and joins the results, so that what `fn` allocates is
 * bounded by a slice. One chunk is a plain call.
 */
export function inChunks(x: tf.Tensor, axis: number, chunkSize: number, fn: (part: tf.Tensor) => tf.Tensor): tf.Tensor {
  const length = x.shape[axis] ?? 0;
  if (length <= chunkSize) return fn(x);
  return tf.tidy(() => {
    const parts: tf.Tensor[] = [];
    for (let start = 0; start < length; start += chunkSize) {
      const begin = x.shape.map((_, i) => (i === axis ? start : 0));
      const size = x.shape.map((n, i) => (i === axis ? Math.min(chunkSize, length - start) : n));
      parts.push(tf.tidy(() => fn(tf.slice(x, begin, size))));
    }
    return tf.concat(parts, axis);
  });
}
