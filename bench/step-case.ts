/**
 * The training steps and prefills that are compared with PyTorch: a model, a batch, and where both are written for the
 * peer.
 *
 * The language model is the whole of it: it takes nearly all the time of a step once the frozen encoders' features are
 * cached. The vision side is declared at its smallest and never run.
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { Rng } from '../src/base/rng.js';
import { type LanguageConfig, type ModelConfig, ModelSchema } from '../src/model/config.js';
import { loraTargets } from '../src/model/language-family.js';
import { MimicChatModel } from '../src/model/mimic-chat.js';
import { openSafetensors, writeSafetensors } from '../src/model/weights/safetensors.js';
import type { Batch } from '../src/train/batch.js';

export interface StepCase {
  readonly name: string;
  readonly language: LanguageConfig;
  /** Sequences and tokens of each. */
  readonly batch: number;
  readonly length: number;
  /** One token in this many is supervised. */
  readonly tokensPerLabel: number;
  readonly loraRank: number;
  readonly loraAlpha: number;
}

const FAMILY = { family: 'internlm2', maxPositions: 32768 } as const;

/** A decoder in the proportions of InternLM2-8B: 3.5 times as wide inside, a key head for four query heads. */
export const languageOf = (hiddenSize: number, numLayers: number): LanguageConfig => ({
  ...{ hiddenSize, numLayers, intermediateSize: 3.5 * hiddenSize, numHeads: hiddenSize / 64 },
  ...{ numKvHeads: hiddenSize / 256, vocabSize: 16384, ropeTheta: 1e6, normEps: 1e-5 },
  ...{ tieWordEmbeddings: false, embeddingStd: 0.02, ...FAMILY },
});

/** The language model of configs/demo.yaml, a batch of the demo's size. */
const DEMO_LANGUAGE: LanguageConfig = {
  ...{ hiddenSize: 96, numLayers: 3, intermediateSize: 256, numHeads: 4, numKvHeads: 2, vocabSize: 271 },
  ...{ ropeTheta: 1000, normEps: 1e-5, tieWordEmbeddings: true, embeddingStd: 0.1, ...FAMILY },
};

const LORA = { tokensPerLabel: 4, loraRank: 16, loraAlpha: 32 };

export const STEP_CASES: readonly StepCase[] = [
  { name: 'demo', language: DEMO_LANGUAGE, batch: 24, length: 128, ...LORA },
  { name: '512x8', language: languageOf(512, 8), batch: 1, length: 1024, ...LORA },
  { name: '1024x8', language: languageOf(1024, 8), batch: 1, length: 2048, ...LORA },
];

export function stepCase(name: string): StepCase {
  const found = STEP_CASES.find((one) => one.name === name);
  if (found === undefined)
    throw new RangeError(`step case ${name}: expected ${STEP_CASES.map((c) => c.name).join(', ')}`);
  return found;
}

const TINY_VISION = { hiddenSize: 8, intermediateSize: 8, numLayers: 1, numHeads: 1, imageSize: 4, patchSize: 2 };

export function modelConfig({ language, loraRank, loraAlpha }: StepCase): ModelConfig {
  return ModelSchema.parse({
    spatial: { ...TINY_VISION, numFrames: 1 },
    temporal: { ...TINY_VISION, numFrames: 1, pool: [1, 1, 1] },
    projector: { spatialHidden: 8, temporalHidden: 8 },
    language,
    lora: { rank: loraRank, alpha: loraAlpha, dropout: 0 },
  });
}

/** Random tokens; every `tokensPerLabel`-th one predicts its successor. */
export function batchOf({ language, batch, length, tokensPerLabel }: StepCase): Batch {
  const rng = new Rng(7, 'bench/tokens');
  const ids = Int32Array.from({ length: batch * length }, () => Math.floor(rng.uniform() * language.vocabSize));
  const rows: number[] = [];
  for (let row = 0; row < ids.length; row += tokensPerLabel) if ((row + 1) % length !== 0) rows.push(row);
  return {
    ...{ sampleIds: Array.from({ length: batch }, (_, i) => `random-${i}`), ids, batch, length, features: [] },
    rows: Int32Array.from(rows),
    labels: Int32Array.from(rows, (row) => ids[row + 1] ?? 0),
    weights: new Float32Array(rows.length).fill(1),
  };
}

export const weightsPath = (dir: string): string => join(dir, 'model.safetensors');

const isLanguage = (name: string): boolean => name.startsWith('language_model.');

/** Writes random weights (adapters away from zero, so that every gradient is real), the batch and the sizes. */
export async function writeCase(which: StepCase, dir: string): Promise<void> {
  const model = new MimicChatModel(modelConfig(which));
  model.parameters.initialize(new Rng(1, 'bench/weights'));
  for (const parameter of model.parameters.list().filter(({ name }) => name.includes('lora_B'))) {
    const rng = new Rng(2, parameter.name);
    const values = Float32Array.from({ length: parameter.size }, () => 0.02 * rng.normal());
    parameter.value = tf.tensor(values, [...parameter.shape]);
  }
  const entries = model.parameters
    .list()
    .filter(({ name }) => isLanguage(name))
    .map(({ name, shape, value }) => ({ name, dtype: 'F32' as const, shape, data: () => value.dataSync<'float32'>() }));
  await writeSafetensors(weightsPath(dir), entries);
  const { ids, rows, labels } = batchOf(which);
  await writeSafetensors(join(dir, 'batch.safetensors'), [
    { name: 'ids', dtype: 'I32', shape: [which.batch, which.length], data: ids },
    { name: 'rows', dtype: 'I32', shape: [rows.length], data: rows },
    { name: 'labels', dtype: 'I32', shape: [labels.length], data: labels },
  ]);
  model.dispose();
}

/** The model with the language weights of the file; what is not in it stays without a value. */
export async function loadCase(which: StepCase, dir: string): Promise<MimicChatModel> {
  const model = new MimicChatModel(modelConfig(which));
  model.parameters.train(['lora']);
  const file = await openSafetensors(weightsPath(dir));
  try {
    for (const name of file.tensors.keys()) {
      const parameter = model.parameters.get(name);
      if (parameter === undefined) throw new RangeError(`${name} is in the file and not in the model`);
      parameter.value = tf.tensor(await file.readFloat32(name), [...parameter.shape], 'float32');
    }
  } finally {
    await file.close();
  }
  // Text only: no row of the special tokens is asked for, and the peer's file has none.
  const special = model.parameters.get('special_tokens.weight');
  if (special !== undefined) special.value = tf.zeros([...special.shape]);
  return model;
}

/** What the peer needs to know of the model, as plain JSON. */
export function peerConfig(which: StepCase): Record<string, unknown> {
  const { lora } = modelConfig(which);
  const targets = loraTargets(which.language.family, lora.targets);
  return { ...which.language, loraRank: lora.rank, loraAlpha: lora.alpha, loraTargets: targets };
}
