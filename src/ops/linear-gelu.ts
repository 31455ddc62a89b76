import * as tf from '@tensorflow/tfjs-core';
import { hasFused } from './fused.js';
import { gelu } from './gelu.js';
import { matMul, runKernel } from './kernel.js';
import { lazyOutputs } from './lazy-outputs.js';
import { biasGradient, linear, weightGradient } from './linear.js';
import { overRows } from './over-rows.js';
import { ANY, channelsOf, checkTensor } from './shape-check.js';

// What GELU was given is computed again: kept, it would double the activations that these layers hold.
tf.registerGradient({
  kernelName: 'MimicLinearGelu',
  inputsToSave: ['x', 'weight', 'bias'],
  gradFunc: (dy, saved) => {
    const [x, weight, bias] = saved;
    if (Array.isArray(dy) || !x || !weight || !bias) {
      throw new TypeError('gradient of MimicLinearGelu: expected one dy and the saved x, weight and bias');
    }
    const dz = lazyOutputs(saved, () => [runKernel('MimicLinearGeluGrad', { dy, x, weight, bias })]);
    return {
      x: () => matMul(dz(0), weight),
      weight: () => weightGradient(dz(0), x),
      bias: () => biasGradient(dz(0)),
    };
  },
});

/**
 * gelu(x W^T + b), the first half of a transformer's MLP.
 *
 * @param x [..., I] float32
 * @param weight_OI [O, I]
 * @param bias_O [O]
 * @returns [..., O]
 * @throws ShapeError when the sizes of I or O differ
 */
export function linearGelu(x: tf.Tensor, weight_OI: tf.Tensor, bias_O: tf.Tensor): tf.Tensor {
  if (!hasFused('MimicLinearGelu')) return tf.tidy('linearGelu', () => gelu(linear(x, weight_OI, bias_O)));
  checkTensor('linearGelu', 'weight_OI', weight_OI, [ANY, channelsOf('linearGelu', 'x', x)]);
  checkTensor('linearGelu', 'bias_O', bias_O, [weight_OI.shape[0] ?? 0]);
  return overRows(x, (x_MI) => runKernel('MimicLinearGelu', { x: x_MI, weight: weight_OI, bias: bias_O }));
}
