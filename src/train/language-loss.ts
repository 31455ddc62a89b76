/**
 * The language-model loss -sum log P(y_t) on answer tokens, in the two parts around the decoder's blocks.
 *
 * Shape letters: B samples, L padded length, C hidden size, N supervised tokens.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { DecodeOptions } from '../model/decoder.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { mixedVisualTokens } from '../model/mixed-visual-tokens.js';
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
    return headLoss(model, batch, model.decode(inputEmbeddings(model, batch), decodeOptions(batch, options)), options);
  });
}

/** What the decoder needs to know of a batch beside its embeddings. */
export function decodeOptions(
  { segments }: Pick<Batch, 'segments'>,
  { dropoutSeed }: Pick<LanguageLossOptions, 'dropoutSeed'>,
): DecodeOptions {
  return {
    ...(segments === undefined ? {} : { segments }),
    ...(dropoutSeed === undefined ? {} : { dropoutSeed }),
  };
}

/** Everything before the decoder: projectors, gated fusion, token embeddings. @returns [B, L, C] */
export function inputEmbeddings(model: MimicChatModel, { ids, batch, length, features }: Batch): tf.Tensor3D {
  if (features.length === 0) return model.embed(ids, batch, length, null);
  const { visual_BVC, rows } = mixedVisualTokens(model, features);
  return model.embed(ids, batch, length, visual_BVC, rows);
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
