/// <reference path="../../src/data/xenova-tokenizers.d.ts" />
/** Whole models of the 8B model's shape with random weights made on the device, and batches for them. */
import * as tf from '@tensorflow/tfjs-core';
import { Rng } from '../../src/base/rng.js';
import { type ModelConfig, ModelSchema } from '../../src/model/config.js';
import { MimicChatModel } from '../../src/model/mimic-chat.js';
import type { Parameter, Part } from '../../src/model/parameters.js';
import type { Batch } from '../../src/train/batch.js';
import { randomTensor } from './decoder.js';

/** InternLM2-8B with InternViT-300M and TimeSformer, which are the defaults; or a toy of the same form. */
export function modelConfig(quick: boolean): ModelConfig {
  if (!quick) return ModelSchema.parse({ lora: { dropout: 0 } });
  const stack = { hiddenSize: 16, intermediateSize: 24, numLayers: 1, numHeads: 2, imageSize: 16, patchSize: 4 };
  return ModelSchema.parse({
    spatial: { ...stack, numFrames: 2 },
    temporal: { ...stack, numFrames: 4, pool: [2, 1, 1] },
    language: { hiddenSize: 64, intermediateSize: 96, numLayers: 2, numHeads: 4, numKvHeads: 2, vocabSize: 101 },
    lora: { dropout: 0 },
  });
}

/** Standard deviation of a parameter's first values; undefined for a constant. */
function deviationOf({ init }: Parameter): number | undefined {
  if (init.kind === 'constant') return undefined;
  return init.kind === 'normal' ? init.std : init.bound / Math.sqrt(3);
}

/** @param parts that have values; @param trained of them, in f32 */
export function randomModel(config: ModelConfig, parts: readonly Part[], trained: readonly Part[]): MimicChatModel {
  const model = new MimicChatModel(config);
  model.parameters.train(trained);
  for (const parameter of model.parameters.list().filter(({ part }) => parts.includes(part))) {
    const deviation = deviationOf(parameter);
    const { shape, init, storage } = parameter;
    const constant = init.kind === 'constant' ? init.value : 0;
    // One value at a time: where every weight exists twice, the peak would be that of loading.
    parameter.value = deviation === undefined ? tf.fill([...shape], constant) : randomTensor(shape, storage, deviation);
  }
  return model;
}

/** Sequences of text alone, every token but the last one supervised. */
export function textBatch({ language }: ModelConfig, batch: number, length: number): Batch {
  const rng = new Rng(7, 'bench/tokens');
  const ids = Int32Array.from({ length: batch * length }, () => Math.floor(rng.uniform() * language.vocabSize));
  const rows = Int32Array.from(ids.keys()).filter((row) => (row + 1) % length !== 0);
  return {
    ...{ sampleIds: Array.from({ length: batch }, (_, i) => `random-${i}`), ids, batch, length, features: [] },
    ...{ rows, labels: rows.map((row) => ids[row + 1] ?? 0), weights: new Float32Array(rows.length).fill(1) },
  };
}
