/**
 * The language-model loss -sum log P(y_t) on answer tokens, in the two parts around the decoder's blocks.
 *
 * Shape letters: B samples, L padded length, C hidden size, N supervised tokens.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { gatherRows, linearCrossEntropy } from '../ops/index.js';
import type { Batch } from './batch.js';

export interface LanguageLossOptions {
  readonly labelSmoothing: number;
  /** What the weighted sum is divided by: the total weight of the optimizer step's batches. */
  readonly normalizer: number;
  /** Switches LoRA dropout on. */
  readonly dropoutSeed?: number | undefined;
}

/** Weighted and normalised loss of a batch. @returns scalar */
export function languageLoss(model: MimicChatModel, batch: Batch, options: LanguageLossOptions): tf.Scalar {
  return tf.tidy(() => {
    const seed = options.dropoutSeed === undefined ? {} : { dropoutSeed: options.dropoutSeed };
    return headLoss(model, batch, model.decode(inputEmbeddings(model, batch), seed), options);
  });
}

/** Everything before the decoder: projectors, gated fusion, token embeddings. @returns [B, L, C] */
export function inputEmbeddings(model: MimicChatModel, batch: Batch): tf.Tensor3D {
  const visual = batch.features.length > 0 ? model.visualTokens(batch.features) : null;
  return model.embed(batch.ids, batch.batch, batch.length, visual);
}

/** Everything after the final norm: only rows that predict a supervised token meet the vocabulary. @returns scalar */
export function headLoss(
  model: MimicChatModel,
  batch: Batch,
  hidden_BLC: tf.Tensor3D,
  { labelSmoothing, normalizer }: LanguageLossOptions,
): tf.Scalar {
  const [, , c] = hidden_BLC.shape;
  const predicting_NC = gatherRows(tf.reshape(hidden_BLC, [-1, c]), batch.rows);
  const { outputWeight, trainsOutput } = model.decoder;
  const head = { labelSmoothing, frozenWeight: !trainsOutput };
  const losses_N = linearCrossEntropy(predicting_NC, outputWeight, batch.labels, head);
  return tf.mul(tf.sum(tf.mul(losses_N, tf.tensor1d(batch.weights))), 1 / normalizer) as tf.Scalar;
}
