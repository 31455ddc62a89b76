import * as tf from '@tensorflow/tfjs-core';
import { runFused } from './fused.js';
import { runKernel, runMultiKernel } from './kernel.js';
import { lazyOutputs } from './lazy-outputs.js';
import { channelsOf, checkTensor } from './shape-check.js';

tf.registerGradient({
  kernelName: 'MimicLayerNorm',
  inputsToSave: ['x', 'gamma'],
  gradFunc: (dy, saved, attrs) => {
    const [x, gamma] = saved;
    if (Array.isArray(dy) || x === undefined || gamma === undefined) {
      throw new TypeError('gradient of MimicLayerNorm: expected one dy and the saved x and gamma');
    }
    const paramGradient = lazyOutputs(saved, () => runMultiKernel('MimicLayerNormGradParams', { dy, x }, attrs));
    return {
      x: () => runKernel('MimicLayerNormGradX', { dy, x, gamma }, attrs),
      gamma: () => paramGradient(0),
      beta: () => paramGradient(1),
    };
  },
});

/**
 * Layer normalisation over the last axis: (x - mean) / sqrt(var + eps) * gamma + beta, with the biased variance.
 *
 * @param x [..., C] float32
 * @param gamma_C [C]
 * @param beta_C [C]
 * @param eps added to the variance
 * @returns [..., C]
 * @throws ShapeError when gamma or beta is not [C]
 * @source Ba et al. 2016, "Layer normalization"
 */
export function layerNorm(x: tf.Tensor, gamma_C: tf.Tensor, beta_C: tf.Tensor, eps: number): tf.Tensor {
  const channels = channelsOf('layerNorm', 'x', x);
  checkTensor('layerNorm', 'gamma_C', gamma_C, [channels]);
  checkTensor('layerNorm', 'beta_C', beta_C, [channels]);
  return runFused('MimicLayerNorm', { x, gamma: gamma_C, beta: beta_C }, { eps }, () => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    const normalised = tf.mul(centred, tf.rsqrt(tf.add(variance, eps)));
    return tf.add(tf.mul(normalised, gamma_C), beta_C);
  });
}
