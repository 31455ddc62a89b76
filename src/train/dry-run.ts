/**
 * `mimic train --dry-run`: builds the full graph and runs one training step on a device without memory.
 *
 * The null device counts what a real one would hold and compute, so the 8B model is checked on a laptop in seconds.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Precision } from '../backend/device-option.js';
import { NativeBackend } from '../backend/native-backend.js';
import { useBackend } from '../backend/select.js';
import { formatBytes, formatFlops } from '../base/format.js';
import { Rng } from '../base/rng.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import { collate, totalWeight } from './batch.js';
import { blankFrames, fullLengthSample } from './blank-sample.js';
import { checkpointedLossAndGradients } from './checkpointed-gradients.js';
import type { RunConfig } from './config.js';
import { disposeGradients, lossAndGradients } from './gradients.js';
import { languageLoss } from './language-loss.js';
import { startupTable } from './startup-table.js';

/** Frames of the temporal branch that the dry run encodes: two seconds at 8 a second. */
const DRY_FRAMES = 16;

/**
 * @param precision storage of frozen weights and activations
 * @returns what was built, for a person to read
 */
export async function dryRun(config: RunConfig, precision: Precision = 'fp32'): Promise<string> {
  await useBackend({ backend: 'null', precision });
  const model = new MimicChatModel(config.model);
  const owned = new Set(model.parameters.countByPart().map(({ part }) => part));
  model.parameters.train(config.train.parts.filter((part) => owned.has(part)));
  model.parameters.initialize(new Rng(config.seed, 'weights'));
  const weightBytes = deviceBytes();

  const { imageSize, numFrames } = config.model.spatial;
  const video = { spatial: blankFrames(numFrames, imageSize), temporal: blankFrames(DRY_FRAMES, imageSize) };
  const features = Array.from({ length: config.train.batchSize }, () => model.encodeFrames(video));
  const tokens = fullLengthSample(model, config.train.maxLength);
  const batch = collate(
    features.map((feature, i) => ({ id: String(i), tokens, features: feature })),
    config.train.lossReduction,
  );
  const options = { labelSmoothing: config.train.labelSmoothing, normalizer: totalWeight([batch]), dropoutSeed: 1 };
  const { gradients } = config.train.gradientCheckpointing
    ? checkpointedLossAndGradients(model, batch, options)
    : lossAndGradients(model.parameters.trainable(), () => languageLoss(model, batch, options));
  const reached = gradients.size;
  disposeGradients(gradients);
  const text = [
    startupTable(model, { layout: config.prompt.layout }),
    `  tokens a sample: ${model.numVisualTokens()} visual of ${tokens.ids.length} (train.maxLength)`,
    `  one micro-batch of ${batch.batch}: forward and backward built, gradients for ${reached} of ${model.parameters.trainable().length} trained tensors`,
    `  weights in ${precision}: ${formatBytes(weightBytes)}`,
    ...deviceLines(precision, config.train.gradientCheckpointing),
  ].join('\n');
  for (const feature of features) feature.dispose();
  model.dispose();
  return text;
}

/** In use on the null device, which counts bf16 as 2 bytes where TF.js counts every number as 4. */
function deviceBytes(): number {
  const backend = tf.backend();
  return backend instanceof NativeBackend ? backend.memory().deviceBytes : Number.NaN;
}

/** What the null device counted. */
function deviceLines(precision: Precision, checkpointing: boolean): string[] {
  const backend = tf.backend();
  if (!(backend instanceof NativeBackend)) return [];
  const { peakBytes, matmulFlops } = backend.device.stats();
  return [
    `  peak of the step in ${precision}, ${checkpointing ? 'with' : 'without'} gradient checkpointing: ${formatBytes(peakBytes)}`,
    `  matrix products and attention: ${formatFlops(matmulFlops)}`,
  ];
}
