/**
 * One optimizer step: gradients of the language-model loss over the micro-batches, clipping, AdamW.
 *
 * Everything random is a function of (seed, step), so a resumed run repeats a straight one bit for bit.
 */
import * as tf from '@tensorflow/tfjs-core';
import { DataError, MimicError } from '../base/errors.js';
import { hashLabel } from '../base/rng.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { type Batch, totalWeight } from './batch.js';
import { checkpointedLossAndGradients } from './checkpointed-gradients.js';
import { addGradients, disposeGradients, type Gradients, lossAndGradients } from './gradients.js';
import { languageLoss } from './language-loss.js';
import type { Optimizer, StepOptions } from './optimizer.js';
import { Ranks, sumByPlace } from './ranks.js';

export interface StepResult {
  readonly loss: number;
  readonly gradNorm: number;
  /** Tokens in the sequences, padding left out. */
  readonly supervisedTokens: number;
  /** Some rank was asked to stop. */
  readonly interrupted: boolean;
}

/** Which of a step's micro-batches these are, when other ranks have the rest. */
export interface Share {
  /** Of each batch, among all of the step. */
  readonly indices: readonly number[];
  /** Total weight of each micro-batch of the step, on whatever rank. */
  readonly weights: readonly number[];
  readonly interrupted: boolean;
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
    private readonly optimizer: Optimizer,
    private readonly options: TrainerOptions,
    private readonly ranks = new Ranks(),
  ) {}

  /**
   * A collective where there are several ranks.
   *
   * @param batches micro-batches of this step; the loss is normalised over all of them, so their number changes nothing
   * @param share default: this rank has all of them
   * @throws DataError when no token is supervised
   */
  step(step: number, batches: readonly Batch[], learningRate: number, share: Share = wholeStep(batches)): StepResult {
    const normalizer = share.weights.reduce((sum, weight) => sum + weight, 0);
    if (normalizer === 0) this.ranks.throwTogether(nothingSupervised(step));
    const losses = share.weights.map(() => 0);
    let gradients: Gradients = new Map();
    try {
      let failure: unknown;
      try {
        for (const [i, batch] of batches.entries()) {
          const index = share.indices[i] ?? i;
          const part = this.gradientsOf(step, index, batch, normalizer);
          losses[index] = part.loss;
          gradients = addGradients(gradients, part.gradients);
          if (!Number.isFinite(part.loss)) throw lossNotFinite(step, part.loss, batch);
        }
      } catch (error) {
        failure = error;
      }
      const trainable = this.model.parameters.trainable();
      const told = this.ranks.exchange(
        'gradients',
        step,
        [share.interrupted ? 1 : 0, ...losses, ...trainable.map(({ name }) => (gradients.has(name) ? 1 : 0))],
        failure,
      );
      const [interrupted = 0, ...sums] = sumByPlace(told);
      const reached = new Set(trainable.filter((_, i) => sums[losses.length + i] !== 0).map(({ name }) => name));
      const gradNorm = this.update(step, gradients, { lr: learningRate, reached }, batches);
      return {
        loss: sums.slice(0, losses.length).reduce((sum, loss) => sum + loss, 0),
        gradNorm,
        supervisedTokens: batches.reduce((sum, batch) => sum + batch.labels.length, 0),
        interrupted: interrupted > 0,
      };
    } finally {
      disposeGradients(gradients);
    }
  }

  /** All ranks see the same norm, so what it throws they throw together. */
  private update(step: number, gradients: Gradients, options: StepOptions, batches: readonly Batch[]): number {
    try {
      return this.optimizer.step(gradients, options);
    } catch (error) {
      if (!(error instanceof MimicError) || error.code !== 'E_GRADIENT_NOT_FINITE') throw error;
      return this.ranks.throwTogether(gradientNotFinite(step, error, batches));
    }
  }

  private gradientsOf(step: number, index: number, batch: Batch, normalizer: number) {
    const { seed, labelSmoothing, gradientCheckpointing } = this.options;
    const options = { labelSmoothing, normalizer, dropoutSeed: dropoutSeedOf(seed, step, index) };
    return gradientCheckpointing
      ? checkpointedLossAndGradients(this.model, batch, options)
      : lossAndGradients(this.model.parameters.trainable(), () => languageLoss(this.model, batch, options));
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

function wholeStep(batches: readonly Batch[]): Share {
  const weights = batches.map((batch) => totalWeight([batch]));
  return { indices: [...batches.keys()], weights, interrupted: false };
}

function nothingSupervised(step: number): DataError {
  return new DataError('E_NO_SUPERVISED_TOKEN', `Step ${step}: no token of the batch is supervised.`, {
    hint: 'Every sample needs an answer; check the data with `mimic data validate`.',
  });
}

function dropoutSeedOf(seed: number, step: number, micro: number): number {
  // Spread over the 32-bit space: consecutive steps must not share the per-layer offsets added to it.
  return hashLabel(`dropout/${seed}/${step}/${micro}`) & 0x7fffffff;
}

/** The samples of the micro-batch it is of: one of them, or the weights, is to blame. */
function lossNotFinite(step: number, loss: number, { sampleIds: ids }: Batch): DataError {
  return new DataError('E_LOSS_NOT_FINITE', `Step ${step}: the loss is ${loss}. Samples: ${ids.join(', ')}.`, {
    hint: 'Lower train.learningRate, or look at these samples; no weight was changed and the last checkpoint is intact.',
    context: { step, ids },
  });
}

function gradientNotFinite(step: number, error: MimicError, batches: readonly Batch[]): DataError {
  const ids = batches.flatMap(({ sampleIds }) => sampleIds);
  return new DataError(error.code, `Step ${step}: ${error.message} Samples: ${ids.join(', ')}.`, {
    hint: 'Lower train.learningRate or lengthen the warm-up; no weight was changed and the last checkpoint is intact.',
    context: { ...error.context, step, ids },
    cause: error,
  });
}
