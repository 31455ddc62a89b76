import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { unbroadcast } from './gradients/unbroadcast.js';
import { matMul, reshape } from './kernel.js';
import { ANY, channelsOf, checkTensor } from './shape-check.js';

defineGradient('MimicLinear', { inputs: ['x', 'weight'] }, (dy_MO, _attrs, x_MI, weight_OI) => ({
  x: () => matMul(dy_MO, weight_OI),
  // A kernel of its own: a gradient stays in f32 where activations are bf16.
  weight: () => runFused('MimicLinearGradWeight', { dy: dy_MO, x: x_MI }, {}, () => matMul(dy_MO, x_MI, true)),
  bias: () => unbroadcast(dy_MO, dy_MO.shape.slice(1)),
}));

/**
 * Affine map of the last axis: x W^T + b.
 *
 * @param x [..., I] float32
 * @param weight_OI [O, I]
 * @param bias_O [O]
 * @returns [..., O]
 * @throws ShapeError when the sizes of I or O differ
 */
export function linear(x: tf.Tensor, weight_OI: tf.Tensor, bias_O?: tf.Tensor): tf.Tensor {
  const inFeatures = channelsOf('linear', 'x', x);
  checkTensor('linear', 'weight_OI', weight_OI, [ANY, inFeatures]);
  const outFeatures = weight_OI.shape[0] ?? 0;
  if (bias_O !== undefined) checkTensor('linear', 'bias_O', bias_O, [outFeatures]);

  const isMatrix = x.rank === 2;
  const x_MI = isMatrix ? x : reshape(x, [tf.util.sizeFromShape(x.shape.slice(0, -1)), inFeatures]);
  const inputs = bias_O === undefined ? { x: x_MI, weight: weight_OI } : { x: x_MI, weight: weight_OI, bias: bias_O };
  const y_MO = runFused('MimicLinear', inputs, {}, () => {
    const product_MO = tf.matMul(x_MI, weight_OI, false, true);
    return bias_O === undefined ? product_MO : tf.add(product_MO, bias_O);
  });
  if (isMatrix) return y_MO;
  const y = reshape(y_MO, [...x.shape.slice(0, -1), outFeatures]);
  x_MI.dispose();
  y_MO.dispose();
  return y;
}
