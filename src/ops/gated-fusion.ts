import * as tf from '@tensorflow/tfjs-core';
import { runFused } from './fused.js';
import { runMultiKernel } from './kernel.js';
import { lazyOutputs } from './lazy-outputs.js';
import { linear } from './linear.js';
import { ANY, checkTensor } from './shape-check.js';

export interface GateWeights {
  /** Weighs the token itself [C]. */
  readonly wSelf_C: tf.Tensor;
  /** Weighs the other branch's mean token [C]. */
  readonly wOther_C: tf.Tensor;
  /** [1] */
  readonly bias_1: tf.Tensor;
}

tf.registerGradient({
  kernelName: 'MimicGatedFusion',
  inputsToSave: ['x', 'otherMean', 'wSelf', 'wOther', 'bias'],
  gradFunc: (dy, saved, attrs) => {
    const [x, otherMean, wSelf, wOther, bias] = saved;
    if (Array.isArray(dy) || !x || !otherMean || !wSelf || !wOther || !bias) {
      throw new TypeError('gradient of MimicGatedFusion: expected one dy and the five saved inputs');
    }
    const inputs = { dy, x, otherMean, wSelf, wOther, bias };
    const gradient = lazyOutputs(saved, () => runMultiKernel('MimicGatedFusionGrad', inputs, attrs));
    return {
      x: () => gradient(0),
      otherMean: () => gradient(1),
      wSelf: () => gradient(2),
      wOther: () => gradient(3),
      bias: () => gradient(4),
    };
  },
});

/**
 * Scales every token by a gate computed from itself and from the other branch:
 * x * gain * sigmoid(x . wSelf + otherMean . wOther + bias).
 *
 * @param x_BNC [B, N, C] float32
 * @param otherMean_BC [B, C]
 * @param gain the gate's upper bound
 * @returns [B, N, C]
 * @throws ShapeError when B or C differ
 */
export function gatedFusion(x_BNC: tf.Tensor, otherMean_BC: tf.Tensor, gate: GateWeights, gain: number): tf.Tensor {
  checkTensor('gatedFusion', 'x_BNC', x_BNC, [ANY, ANY, ANY]);
  const [batch = 0, , channels = 0] = x_BNC.shape;
  checkTensor('gatedFusion', 'otherMean_BC', otherMean_BC, [batch, channels]);
  checkTensor('gatedFusion', 'wSelf_C', gate.wSelf_C, [channels]);
  checkTensor('gatedFusion', 'wOther_C', gate.wOther_C, [channels]);
  checkTensor('gatedFusion', 'bias_1', gate.bias_1, [1]);
  const inputs = { x: x_BNC, otherMean: otherMean_BC, wSelf: gate.wSelf_C, wOther: gate.wOther_C, bias: gate.bias_1 };
  return runFused('MimicGatedFusion', inputs, { gain }, () => {
    const self_BN1 = linear(x_BNC, tf.reshape(gate.wSelf_C, [1, channels]), gate.bias_1);
    const other_B1 = linear(otherMean_BC, tf.reshape(gate.wOther_C, [1, channels]));
    const open_BN1 = tf.sigmoid(tf.add(self_BN1, tf.reshape(other_B1, [batch, 1, 1])));
    return tf.mul(x_BNC, tf.mul(open_BN1, gain));
  });
}
