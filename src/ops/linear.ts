import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { unbroadcast } from './gradients/unbroadcast.js';
import { matMul } from './kernel.js';
import { overRows } from './over-rows.js';
import { ANY, channelsOf, checkTensor } from './shape-check.js';
import { withGradient } from './with-gradient.js';

defineGradient('MimicLinear', { inputs: ['x', 'weight'] }, (dy_MO, _attrs, x_MI, weight_OI) => ({
  x: () => matMul(dy_MO, weight_OI),
  weight: () => weightGradient(dy_MO, x_MI),
  bias: () => biasGradient(dy_MO),
}));

/** dy^T x [O, I]; a kernel of its own, since a gradient stays in f32 where activations are bf16. */
export function weightGradient(dy_MO: tf.Tensor, x_MI: tf.Tensor): tf.Tensor {
  return runFused('MimicLinearGradWeight', { dy: dy_MO, x: x_MI }, {}, () => matMul(dy_MO, x_MI, true));
}

/** The sum over rows [O]. */
export function biasGradient(dy_MO: tf.Tensor): tf.Tensor {
  return unbroadcast(dy_MO, dy_MO.shape.slice(1));
}

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

  return overRows(x, (x_MI) => {
    const inputs = bias_O === undefined ? { x: x_MI, weight: weight_OI } : { x: x_MI, weight: weight_OI, bias: bias_O };
    return runFused('MimicLinear', inputs, {}, () => {
      const product_MO = tf.matMul(x_MI, weight_OI, false, true);
      return bias_O === undefined ? product_MO : tf.add(product_MO, bias_O);
    });
  });
}

/**
 * x W^T + b with a weight and a bias that are not trained: what `linear` gives, and the tape need not keep x for the
 * weight's gradient.
 *
 * @param x [..., I] float32
 * @param weight_OI [O, I]; must live until the backward pass has ended
 * @param bias_O [O]
 * @returns [..., O]
 * @throws ShapeError when the sizes of I or O differ
 */
export function frozenLinear(x: tf.Tensor, weight_OI: tf.Tensor, bias_O?: tf.Tensor): tf.Tensor {
  return overRows(x, (x_MI) =>
    withGradient(
      [x_MI],
      () => linear(x_MI, weight_OI, bias_O),
      (dy_MO) => matMul(dy_MO, weight_OI),
    ),
  );
}
