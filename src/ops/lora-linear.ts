import * as tf from '@tensorflow/tfjs-core';
import { type DropoutOptions, dropout } from './dropout.js';
import { linear } from './linear.js';
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

/**
 * A linear map with a low-rank update: x W^T + b + scale * dropout(x) A^T B^T.
 *
 * The update stays factored, so W can remain frozen or shared.
 *
 * @param x [..., I] float32
 * @param weight_OI [O, I]
 * @param bias_O [O]
 * @returns [..., O]
 * @throws ShapeError when the sizes of I, O or R differ
 * @source Hu et al. 2021, "LoRA: low-rank adaptation of large language models", section 4.1
 */
export function loraLinear(x: tf.Tensor, weight_OI: tf.Tensor, lora: LoraWeights, bias_O?: tf.Tensor): tf.Tensor {
  const { a_RI, b_OR, scale } = lora;
  checkTensor('loraLinear', 'a_RI', a_RI, [ANY, channelsOf('loraLinear', 'x', x)]);
  checkTensor('loraLinear', 'b_OR', b_OR, [weight_OI.shape[0] ?? 0, a_RI.shape[0] ?? 0]);
  return tf.tidy('loraLinear', () => {
    const base = linear(x, weight_OI, bias_O);
    const adapterInput = lora.dropout === undefined ? x : dropout(x, lora.dropout);
    // Scaling the narrow activation costs R products a row where scaling the update would cost O.
    const down = tf.mul(linear(adapterInput, a_RI), scale);
    return tf.add(base, linear(down, b_OR));
  });
}
