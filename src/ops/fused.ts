/** Dispatch between a backend's fused kernel and the op's definition in plain TF.js. */
import * as tf from '@tensorflow/tfjs-core';
import './gradients/index.js';

/** Whether the current backend brings the fused kernel `name`. */
export function hasFused(name: string): boolean {
  // getKernel is typed as always found, yet answers undefined for a kernel that no backend registered.
  const kernel: tf.KernelConfig | undefined = tf.getKernel(name, tf.getBackend());
  return kernel !== undefined;
}

/**
 * Runs the fused kernel when the current backend has it, else the composed definition.
 *
 * @param name fused kernel name; its gradient is registered beside the op
 * @param inputs tensors by the kernel's input names
 * @param attrs the kernel's attributes
 * @param composed the same function in stock TF.js ops, differentiable through stock gradients
 * @returns new tensors owned by the caller; intermediate ones are disposed
 */
export function runFused<T extends tf.Tensor | tf.Tensor[] = tf.Tensor>(
  name: string,
  inputs: tf.NamedTensorMap,
  attrs: tf.NamedAttrMap,
  composed: () => T,
): T {
  return hasFused(name) ? tf.engine().runKernel<T>(name, inputs, attrs) : tf.tidy(name, composed);
}
