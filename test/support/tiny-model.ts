import type { z } from 'zod';
import { Rng } from '../../src/base/rng.js';
import { type ModelConfig, ModelSchema } from '../../src/model/config.js';
import type { Frames, VideoFrames } from '../../src/model/frames.js';
import { MimicChatModel } from '../../src/model/mimic-chat.js';

type Overrides = Partial<z.input<typeof ModelSchema>>;

/** A MIMIC-Chat of a few thousand parameters: every branch, small and odd sizes. */
export function tinyConfig(overrides: Overrides = {}): ModelConfig {
  return ModelSchema.parse({
    spatial: {
      hiddenSize: 8,
      intermediateSize: 12,
      numLayers: 1,
      numHeads: 2,
      imageSize: 8,
      patchSize: 2,
      numFrames: 2,
    },
    temporal: {
      hiddenSize: 12,
      intermediateSize: 16,
      numLayers: 2,
      numHeads: 3,
      imageSize: 8,
      patchSize: 4,
      numFrames: 3,
      pool: [2, 1, 2],
    },
    projector: { spatialHidden: 10, temporalHidden: 6 },
    language: {
      hiddenSize: 16,
      intermediateSize: 20,
      numLayers: 2,
      numHeads: 4,
      numKvHeads: 2,
      vocabSize: 23,
      ropeTheta: 1000,
      embeddingStd: 0.5,
    },
    lora: { rank: 3, alpha: 6, dropout: 0 },
    ...overrides,
  });
}

export function tinyModel(overrides: Overrides = {}, seed = 1): MimicChatModel {
  const model = new MimicChatModel(tinyConfig(overrides));
  model.parameters.initialize(new Rng(seed, 'weights'));
  return model;
}

export function randomFrames(count: number, size: number, seed: number): Frames {
  const rng = new Rng(seed, 'frames');
  return {
    data: Uint8Array.from({ length: count * size * size * 3 }, () => rng.int(256)),
    count,
    height: size,
    width: size,
    indices: Int32Array.from({ length: count }, (_, i) => i),
    timesSec: Float64Array.from({ length: count }, (_, i) => i / 8),
  };
}

export function randomVideo(config: ModelConfig, seed: number, temporalFrames = 5): VideoFrames {
  const { imageSize, numFrames } = config.spatial;
  return {
    spatial: randomFrames(numFrames, imageSize, seed),
    temporal: randomFrames(temporalFrames, imageSize, seed + 1),
  };
}
