/** The demo's training step: the model and batch size of configs/demo.yaml, on random features and tokens. */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { loadConfig } from '../src/base/config.js';
import { packageRoot } from '../src/base/package-root.js';
import { Rng } from '../src/base/rng.js';
import { numVisualTokens } from '../src/model/config.js';
import { MimicChatModel, VISUAL_ID } from '../src/model/mimic-chat.js';
import { VideoFeatures } from '../src/model/video-features.js';
import type { Batch } from '../src/train/batch.js';
import { RunConfigSchema } from '../src/train/config.js';

/** Tokens of the four turns about a video, as they come in the demo. */
const TEXT_TOKENS = 80;
const TOKENS_PER_LABEL = 8;

export async function demoStep(): Promise<{ model: MimicChatModel; batch: Batch }> {
  const file = join(packageRoot(), 'configs', 'demo.yaml');
  const { config } = await loadConfig(RunConfigSchema, { file, overrides: [] });
  const model = new MimicChatModel(config.model);
  model.parameters.initialize(new Rng(1, 'bench/weights'));
  const owned = new Set(model.parameters.countByPart().map(({ part }) => part));
  model.parameters.train(config.train.parts.filter((part) => owned.has(part)));
  return { model, batch: batchOf(model, config.train.batchSize) };
}

function batchOf(model: MimicChatModel, batch: number): Batch {
  const visual = model.numVisualTokens();
  const length = visual + TEXT_TOKENS;
  const rng = new Rng(7, 'bench/demo');
  const { vocabSize } = model.config.language;
  const ids = Int32Array.from({ length: batch * length }, (_, i) =>
    i % length < visual ? VISUAL_ID : Math.floor(rng.uniform() * vocabSize),
  );
  const isPredicting = (row: number) => row % length >= visual && (row + 1) % length !== 0;
  const rows = Int32Array.from(ids.keys()).filter((row) => isPredicting(row) && row % TOKENS_PER_LABEL === 0);
  return {
    ...{ sampleIds: Array.from({ length: batch }, (_, i) => `random-${i}`), ids, batch, length, rows },
    features: Array.from({ length: batch }, () => randomFeatures(model)),
    labels: rows.map((row) => ids[row + 1] ?? 0),
    weights: new Float32Array(rows.length).fill(1),
  };
}

function randomFeatures({ config, spatialEncoder }: MimicChatModel): VideoFeatures {
  const { spatial, temporal } = numVisualTokens(config);
  const spatial_ND = tf.randomNormal<tf.Rank.R2>([spatial, spatialEncoder.outputSize], 0, 1, 'float32', 1);
  const temporal_MD = tf.randomNormal<tf.Rank.R2>([temporal, config.temporal.hiddenSize], 0, 1, 'float32', 2);
  return new VideoFeatures(spatial_ND, temporal_MD);
}
