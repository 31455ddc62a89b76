/**
 * One optimizer step: gradients of the language-model loss over the micro-batches, clipping, AdamW.
 *
 * Everything random is a function of (seed, step), so a resumed run repeats a straight one bit for bit.
 */
import * as tf from '@tensorflow/tfjs-core';
import { DataError } from '../base/errors.js';
import { hashLabel } from '../base/rng.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { type Batch, totalWeight } from './batch.js';
import { checkpointedLossAndGradients } from './checkpointed-gradients.js';
import { addGradients, disposeGradients, type Gradients, lossAndGradients } from './gradients.js';
import { languageLoss } from './language-loss.js';
import type { AdamW } from './optimizer.js';

export interface StepResult {
  readonly loss: number;
  readonly gradNorm: number;
  /** Tokens in the sequences, padding left out. */
  readonly supervisedTokens: number;
}

export interface TrainerOptions {
  readonly seed: number;
  readonly labelSmoothing: number;
  /** Keep one block's activations instead of all: less memory, a second forward pass. */
  readonly gradientCheckpointing: boolean;
}

export class Trainer {
  constructor(
    private readonly model: MimicChatModel,
    private readonly optimizer: AdamW,
    private readonly options: TrainerOptions,
  ) {}

  /**
   * @param batches micro-batches of this step; the loss is normalised over all of them, so their number changes nothing
   * @throws DataError when no token is supervised
   */
  step(step: number, batches: readonly Batch[], learningRate: number): StepResult {
    const normalizer = totalWeight(batches);
    if (normalizer === 0) {
      throw new DataError('E_NO_SUPERVISED_TOKEN', `Step ${step}: no token of the batch is supervised.`, {
        hint: 'Every sample needs an answer; check the data with `mimic data validate`.',
      });
    }
    const trainable = this.model.parameters.trainable();
    let loss = 0;
    let gradients: Gradients = new Map();
    for (const [micro, batch] of batches.entries()) {
      const dropoutSeed = dropoutSeedOf(this.options.seed, step, micro);
      const { labelSmoothing } = this.options;
      const lossOptions = { labelSmoothing, normalizer, dropoutSeed };
      const part = this.options.gradientCheckpointing
        ? checkpointedLossAndGradients(this.model, batch, lossOptions)
        : lossAndGradients(trainable, () => languageLoss(this.model, batch, lossOptions));
      loss += part.loss;
      gradients = addGradients(gradients, part.gradients);
    }
    try {
      if (!Number.isFinite(loss)) throw lossNotFinite(step, loss, batches);
      const gradNorm = this.optimizer.step(gradients, { lr: learningRate });
      return { loss, gradNorm, supervisedTokens: batches.reduce((sum, batch) => sum + batch.labels.length, 0) };
    } finally {
      disposeGradients(gradients);
    }
  }

  /** Mean loss without dropout or gradient, for validation. */
  loss(batches: readonly Batch[]): number {
    const normalizer = totalWeight(batches);
    let total = 0;
    for (const batch of batches) {
      const value = tf.tidy(() => languageLoss(this.model, batch, { labelSmoothing: 0, normalizer }));
      total += value.dataSync()[0] ?? Number.NaN;
      value.dispose();
    }
    return total;
  }
}

function dropoutSeedOf(seed: number, step: number, micro: number): number {
  // Spread over the 32-bit space: consecutive steps must not share the per-layer offsets added to it.
  return hashLabel(`dropout/${seed}/${step}/${micro}`) & 0x7fffffff;
}

function lossNotFinite(step: number, loss: number, batches: readonly Batch[]): DataError {
  const ids = batches.flatMap(({ sampleIds }) => sampleIds);
  return new DataError('E_LOSS_NOT_FINITE', `Step ${step}: the loss is ${loss}. Samples: ${ids.join(', ')}.`, {
    hint: 'Lower train.learningRate, or look at these samples; no weight was changed and the last checkpoint is intact.',
    context: { step, ids },
  });
}
