import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { runKernel } from './kernel.js';
import { channelsOf } from './shape-check.js';

defineGradient('MimicGelu', { inputs: ['x'] }, (dy, _attrs, x) => ({ x: () => runKernel('MimicGeluGrad', { dy, x }) }));

/**
 * Gaussian error linear unit, the exact form: x * (1 + erf(x / sqrt 2)) / 2.
 *
 * @param x [..., C] float32
 * @returns a tensor of the same shape
 * @throws ShapeError for a scalar or an x that is not float32
 * @source Hendrycks and Gimpel 2016, "Gaussian error linear units"
 */
export function gelu(x: tf.Tensor): tf.Tensor {
  channelsOf('gelu', 'x', x);
  return runFused('MimicGelu', { x }, {}, () => {
    const twiceCdf = tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1);
    return tf.mul(tf.mul(x, 0.5), twiceCdf);
  });
}
