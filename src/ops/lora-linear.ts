import * as tf from '@tensorflow/tfjs-core';
import { checkDropout, type DropoutOptions, dropout } from './dropout.js';
import { hasFused } from './fused.js';
import { runKernel } from './kernel.js';
import { lazyOutputs } from './lazy-outputs.js';
import { biasGradient, linear, weightGradient } from './linear.js';
import { offTape } from './off-tape.js';
import { overRows } from './over-rows.js';
import { ANY, channelsOf, checkTensor } from './shape-check.js';

export interface LoraWeights {
  /** Down projection [R, I]. */
  readonly a_RI: tf.Tensor;
  /** Up projection [O, R]. */
  readonly b_OR: tf.Tensor;
  /** alpha / R. */
  readonly scale: number;
  /** Dropout of the adapter's input; absent outside training. */
  readonly dropout?: DropoutOptions | undefined;
}

// `h` is what the adapter's first product gave the forward pass: kept for the gradient of b, a constant to the tape.
tf.registerGradient({
  kernelName: 'MimicLoraLinear',
  inputsToSave: ['x', 'weight', 'a', 'b', 'h'],
  gradFunc: (dy, saved, attrs) => {
    const [x, weight, a, b, h] = saved;
    if (Array.isArray(dy) || !x || !weight || !a || !b || !h) {
      throw new TypeError('gradient of MimicLoraLinear: expected one dy and the saved x, weight, a, b and h');
    }
    const dh = lazyOutputs(saved, () => [runKernel('MimicLoraGradDown', { dy, b }, attrs)]);
    return {
      x: () => runKernel('MimicLoraGradX', { dy, weight, dh: dh(0), a }, attrs),
      weight: () => weightGradient(dy, x),
      a: () => runKernel('MimicLoraGradA', { dh: dh(0), x }, attrs),
      b: () => weightGradient(dy, h),
      bias: () => biasGradient(dy),
    };
  },
});

/** The fused form; the products scale and add up, so no elementwise pass is left. */
function fusedLoraLinear(x: tf.Tensor, weight: tf.Tensor, lora: LoraWeights, bias?: tf.Tensor): tf.Tensor {
  const { a_RI: a, b_OR: b, scale } = lora;
  const { rate, seed } = lora.dropout ?? { rate: 0, seed: 0 };
  const attrs = { scale, rate, seed };
  return overRows(x, (x_MI) => {
    const h = offTape(() => runKernel('MimicLoraDown', { x: x_MI, a }, attrs));
    const y = runKernel(
      'MimicLoraLinear',
      { x: x_MI, weight, a, b, h, ...(bias === undefined ? {} : { bias }) },
      attrs,
    );
    h.dispose();
    return y;
  });
}

/**
 * A linear map with a low-rank update: x W^T + b + scale * dropout(x) A^T B^T.
 *
 * The update stays factored, so W can remain frozen or shared.
 *
 * @param x [..., I] float32
 * @param weight_OI [O, I]
 * @param bias_O [O]
 * @returns [..., O]
 * @throws ShapeError when the sizes of I, O or R differ, or for a dropout rate outside [0, 1)
 * @source Hu et al. 2021, "LoRA: low-rank adaptation of large language models", section 4.1
 */
export function loraLinear(x: tf.Tensor, weight_OI: tf.Tensor, lora: LoraWeights, bias_O?: tf.Tensor): tf.Tensor {
  const { a_RI, b_OR, scale } = lora;
  const inFeatures = channelsOf('loraLinear', 'x', x);
  checkTensor('loraLinear', 'a_RI', a_RI, [ANY, inFeatures]);
  checkTensor('loraLinear', 'b_OR', b_OR, [weight_OI.shape[0] ?? 0, a_RI.shape[0] ?? 0]);
  if (hasFused('MimicLoraLinear')) {
    checkTensor('loraLinear', 'weight_OI', weight_OI, [ANY, inFeatures]);
    if (bias_O !== undefined) checkTensor('loraLinear', 'bias_O', bias_O, [weight_OI.shape[0] ?? 0]);
    if (lora.dropout !== undefined) checkDropout('loraLinear', lora.dropout);
    return fusedLoraLinear(x, weight_OI, lora, bias_O);
  }
  return tf.tidy('loraLinear', () => {
    const base = linear(x, weight_OI, bias_O);
    const adapterInput = lora.dropout === undefined ? x : dropout(x, lora.dropout);
    // Scaling the narrow activation costs R products a row where scaling the update would cost O.
    const down = tf.mul(linear(adapterInput, a_RI), scale);
    return tf.add(base, linear(down, b_OR));
  });
}
