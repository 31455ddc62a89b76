/** MIMIC-Chat with the sizes and the weights of the reference's tiny models (tools/parity/tiny_models.py). */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import { Rng } from '../../src/base/rng.js';
import { ModelSchema } from '../../src/model/config.js';
import type { LanguageFamily } from '../../src/model/language-family.js';
import { MimicChatModel, VISUAL_ID } from '../../src/model/mimic-chat.js';
import type { ParameterStore, Part } from '../../src/model/parameters.js';
import { VideoFeatures } from '../../src/model/video-features.js';
import { widener } from '../../src/model/weights/dtype.js';
import { openWeights } from '../../src/model/weights/open-weights.js';
import type { WeightSource } from '../../src/model/weights/source.js';
import { at, type HostTensor } from '../support/host-tensor.js';
import { GOLDENS, type Golden } from './goldens.js';

export const FAMILIES = ['internlm2', 'qwen2'] as const satisfies readonly LanguageFamily[];

const LANGUAGES = {
  internlm2: { family: 'internlm2', vocabSize: 97, normEps: 1e-5 },
  qwen2: { family: 'qwen2', vocabSize: 101, normEps: 1e-6 },
} as const;
/** Stands for a visual token in the reference's ids. */
export const IMAGE_TOKEN = { internlm2: 90, qwen2: 95 } as const;
export const LORA_TARGETS = {
  internlm2: ['wqkv', 'wo', 'w1', 'w2', 'w3'],
  qwen2: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
} as const;

export const SPATIAL = { hiddenSize: 24, intermediateSize: 40, numLayers: 2, numHeads: 3, imageSize: 24, patchSize: 4 };
export const TEMPORAL = {
  ...{ hiddenSize: 20, intermediateSize: 36, numLayers: 2, numHeads: 2 },
  ...{ imageSize: 24, patchSize: 6, numFrames: 4 },
};

/** Everything but encoders and decoder. */
export const TRAINED: readonly Part[] = [
  'lora',
  'spatial projector',
  'temporal projector',
  'gated fusion',
  'positions',
  'special tokens',
];

type Overrides = Partial<z.input<typeof ModelSchema>>;

/** Without temporal branch and adapters, and with fresh gates and positions: InternVL2.5 itself. */
export function internvlModel(family: LanguageFamily, overrides: Overrides = {}): MimicChatModel {
  const language = { hiddenSize: 32, intermediateSize: 52, numLayers: 2, numHeads: 4, numKvHeads: 2, ropeTheta: 1e6 };
  const config = ModelSchema.parse({
    spatial: { ...SPATIAL, numFrames: 2 },
    temporal: TEMPORAL,
    language: { ...language, ...LANGUAGES[family] },
    lora: { rank: 0 },
    ablate: 'no-temporal-encoder',
    ...overrides,
  });
  return new MimicChatModel(config);
}

/** What was trained for the gradients and the run over steps: both branches, adapters on every reference target. */
export function mimicChatModel(family: LanguageFamily): MimicChatModel {
  return internvlModel(family, {
    temporal: { ...TEMPORAL, pool: [2, 2, 2] },
    projector: { temporalHidden: 28 },
    lora: { rank: 4, alpha: 8, dropout: 0, targets: [...LORA_TARGETS[family]] },
    ablate: 'none',
  });
}

/** Sets every parameter that a folder names as we do, by plain reading: the loader's slower twin. @returns names that no parameter has */
export async function setByName(store: ParameterStore, folder: string): Promise<string[]> {
  const source = await openWeights(join(GOLDENS, folder));
  const unknown: string[] = [];
  try {
    for (const name of source.tensors.keys()) {
      const parameter = store.get(name);
      if (parameter === undefined) unknown.push(name);
      else parameter.value = tf.tensor(await float32Of(source, name), [...parameter.shape], 'float32');
    }
  } finally {
    await source.close();
  }
  return unknown;
}

/** The folder's weights, and fresh values of what no published checkpoint has. */
export async function loadedInternvl(family: LanguageFamily, overrides: Overrides = {}): Promise<MimicChatModel> {
  const model = internvlModel(family, overrides);
  await setByName(model.parameters, `internvl2_5-${family}`);
  model.parameters.initialize(new Rng(1, 'fresh'));
  return model;
}

/** The values a golden stores below `parameter.`. */
export function setFromGolden(store: ParameterStore, golden: Golden): void {
  for (const name of golden.namesBelow('parameter.')) {
    const parameter = store.get(name);
    if (parameter === undefined) throw new RangeError(`no parameter ${name}`);
    parameter.value = tf.tensor(golden.float32(`parameter.${name}`), [...parameter.shape], 'float32');
  }
}

/** Logits of every position [B, L, V]; the features of both frames stand wherever the reference has its image token. */
export function logitsOf(model: MimicChatModel, family: LanguageFamily, golden: Golden, ids: string): HostTensor {
  const [batch = 1, length = 1] = golden.tensor(ids).shape;
  const own = golden.ids(ids).map((id) => (id === IMAGE_TOKEN[family] ? VISUAL_ID : id));
  const visual = own.includes(VISUAL_ID) ? visualTokensOf(model, golden) : null;
  const logits = tf.tidy(() => {
    const hidden = model.decode(model.embed(own, batch, length, visual));
    return model.logits(tf.reshape(hidden, [batch * length, -1]) as tf.Tensor2D);
  });
  visual?.dispose();
  return taken(logits, [batch, length, model.config.language.vocabSize]);
}

/** Of a video with as many frames as the model takes, else of pictures; at the initial positions both are mlp1's. [1, V, C] */
export function visualTokensOf(model: MimicChatModel, golden: Golden): tf.Tensor3D {
  const frames = golden.frames('frames');
  const kind = frames.count === model.config.spatial.numFrames ? 'video' : 'image';
  const features = new VideoFeatures(model.spatialEncoder.encode(frames), null, kind);
  const tokens = model.visualTokens([features]);
  features.dispose();
  return tokens;
}

/** Logits of the text `ids` of a golden [B, L, V]. */
export function textLogitsOf(model: MimicChatModel, golden: Golden): HostTensor {
  return logitsOf(model, model.config.language.family, golden, 'ids');
}

/** The reference's patch tokens, [1 + places * T, C] with the class token first and time fastest, as [T * places, C]. */
export function timeFirst({ shape, values }: HostTensor, frames: number): HostTensor {
  const [tokens = 0, c = 0] = shape;
  const places = (tokens - 1) / frames;
  const out = new Float64Array(frames * places * c);
  for (let i = 0; i < out.length; i++) {
    const [t, place, channel] = [Math.floor(i / c / places), Math.floor(i / c) % places, i % c];
    out[i] = at(values, (1 + place * frames + t) * c + channel);
  }
  return { shape: [frames * places, c], values: out };
}

/** A result's values in double precision; disposes the tensor. */
export function taken(tensor: tf.Tensor, shape: readonly number[] = tensor.shape): HostTensor {
  const values = Float64Array.from(tensor.dataSync());
  tensor.dispose();
  return { shape, values };
}

async function float32Of(source: WeightSource, name: string): Promise<Float32Array<ArrayBuffer>> {
  const info = source.tensors.get(name);
  const widen = info === undefined ? undefined : widener(info.dtype);
  if (info === undefined || widen === undefined) throw new RangeError(`${source.path}: ${name} is no float tensor`);
  const bytes = new Uint8Array(info.byteLength);
  await source.readInto(name, bytes, 0);
  const values = new Float32Array(info.shape.reduce((size, n) => size * n, 1));
  widen(bytes, values);
  return values;
}
