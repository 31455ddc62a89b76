import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { runKernel } from './kernel.js';
import { channelsOf, checkTensor } from './shape-check.js';

defineGradient('MimicRmsNorm', { inputs: ['x', 'gamma'] }, (dy, attrs, x, gamma) => ({
  x: () => runKernel('MimicRmsNormGradX', { dy, x, gamma }, attrs),
  gamma: () => runKernel('MimicRmsNormGradGamma', { dy, x }, attrs),
}));

/**
 * Root-mean-square normalisation over the last axis: x / sqrt(mean(x^2) + eps) * gamma.
 *
 * @param x [..., C] float32
 * @param gamma_C [C]
 * @param eps added to the mean square
 * @returns [..., C]
 * @throws ShapeError when gamma is not [C]
 * @source Zhang and Sennrich 2019, "Root mean square layer normalization"
 */
export function rmsNorm(x: tf.Tensor, gamma_C: tf.Tensor, eps: number): tf.Tensor {
  checkTensor('rmsNorm', 'gamma_C', gamma_C, [channelsOf('rmsNorm', 'x', x)]);
  return runFused('MimicRmsNorm', { x, gamma: gamma_C }, { eps }, () => {
    const meanSquare = tf.mean(tf.square(x), -1, true);
    return tf.mul(tf.mul(x, tf.rsqrt(tf.add(meanSquare, eps))), gamma_C);
  });
}
