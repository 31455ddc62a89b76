import * as tf from '@tensorflow/tfjs-core';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { gatherRows, linearCrossEntropy } from '../ops/index.js';
import type { Batch } from './batch.js';

export interface LanguageLossOptions {
  readonly labelSmoothing: number;
  /** What the weighted sum is divided by: the total weight of the optimizer step's batches. */
  readonly normalizer: number;
  /** Switches LoRA dropout on. */
  readonly dropoutSeed?: number;
}

/** The language-model loss -sum log P(y_t) on answer tokens, weighted and normalised. @returns scalar */
export function languageLoss(model: MimicChatModel, batch: Batch, options: LanguageLossOptions): tf.Scalar {
  return tf.tidy(() => {
    const visual = batch.features.length > 0 ? model.visualTokens(batch.features) : null;
    const embeds = model.embed(batch.ids, batch.batch, batch.length, visual);
    const seed = options.dropoutSeed === undefined ? {} : { dropoutSeed: options.dropoutSeed };
    const hidden_BLC = model.decode(embeds, seed);
    const [, , c] = hidden_BLC.shape;
    const predicting_NC = gatherRows(tf.reshape(hidden_BLC, [-1, c]), batch.rows);
    const { labelSmoothing, normalizer } = options;
    const losses_N = linearCrossEntropy(predicting_NC, model.decoder.outputWeight, batch.labels, { labelSmoothing });
    const weights_N = tf.tensor1d(batch.weights);
    return tf.mul(tf.sum(tf.mul(losses_N, weights_N)), 1 / normalizer) as tf.Scalar;
  });
}
