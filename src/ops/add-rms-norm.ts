import * as tf from '@tensorflow/tfjs-core';
import { runFused } from './fused.js';
import { runKernel } from './kernel.js';
import { lazyOutputs } from './lazy-outputs.js';
import { rmsNorm } from './rms-norm.js';
import { channelsOf, checkTensor } from './shape-check.js';

tf.registerGradient({
  kernelName: 'MimicAddRmsNorm',
  inputsToSave: ['gamma'],
  outputsToSave: [true, false],
  gradFunc: (dys, saved, attrs) => {
    const [ds, dy] = Array.isArray(dys) ? dys : [];
    const [gamma, s] = saved;
    if (!ds || !dy || !gamma || !s) {
      throw new TypeError('gradient of MimicAddRmsNorm: expected two dys and the saved gamma and s');
    }
    // One gradient serves both operands.
    const dx = lazyOutputs(saved, () => [runKernel('MimicAddRmsNormGrad', { ds, dy, s, gamma }, attrs)]);
    return {
      x: () => dx(0),
      r: () => dx(0),
      gamma: () => runKernel('MimicRmsNormGradGamma', { dy, x: s }, attrs),
    };
  },
});

/**
 * A residual's sum and its RMS norm in one pass: s = x + r, y = rmsNorm(s).
 *
 * For where both are used: TF.js makes zeros, on the host, for the gradient of an unused one.
 *
 * @param x [..., C] float32
 * @param r the same shape
 * @param gamma_C [C]
 * @returns [s, y], of the shape of x
 * @throws ShapeError when x and r differ or gamma is not [C]
 */
export function addRmsNorm(x: tf.Tensor, r: tf.Tensor, gamma_C: tf.Tensor, eps: number): [tf.Tensor, tf.Tensor] {
  checkTensor('addRmsNorm', 'gamma_C', gamma_C, [channelsOf('addRmsNorm', 'x', x)]);
  checkTensor('addRmsNorm', 'r', r, x.shape);
  const outputs = runFused<tf.Tensor[]>('MimicAddRmsNorm', { x, r, gamma: gamma_C }, { eps }, () => {
    const s = tf.add(x, r);
    return [s, rmsNorm(s, gamma_C, eps)];
  });
  return outputs as [tf.Tensor, tf.Tensor];
}
