/** With the temporal branch off the model is InternVL's: nothing of ours changes a bit. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useBackend as startBackend } from '../../src/backend/select.js';
import { Rng } from '../../src/base/rng.js';
import { type MimicChatModel, VISUAL_ID } from '../../src/model/mimic-chat.js';
import { ParameterStore, Scope } from '../../src/model/parameters.js';
import { Projector } from '../../src/model/projector.js';
import { VideoFeatures } from '../../src/model/video-features.js';
import { collate } from '../../src/train/batch.js';
import { disposeGradients, lossAndGradients } from '../../src/train/gradients.js';
import { languageLoss } from '../../src/train/language-loss.js';
import { NATIVE } from '../backend/native.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { randomFrames, randomVideo, tinyModel } from '../support/tiny-model.js';

/** What InternVL's mlp1 alone makes of the features, with the model's weights. */
function mlp1(model: MimicChatModel, features: tf.Tensor2D): number[] {
  const store = new ParameterStore();
  const { language, projector } = model.config;
  const scope = new Scope(store, 'mlp1', 'spatial projector');
  const alone = new Projector(scope, 32, projector.spatialHidden ?? language.hiddenSize, language.hiddenSize);
  for (const parameter of store.list()) {
    const value = model.parameters.get(parameter.name)?.value;
    if (value !== undefined) parameter.value = value.clone();
  }
  const tokens = tf.tidy(() => Array.from(alone.apply(features).dataSync()));
  store.dispose();
  return tokens;
}

function visualTokens(model: MimicChatModel, features: VideoFeatures): number[] {
  return tf.tidy(() => Array.from(model.visualTokens([features]).dataSync()));
}

const base = (fusion: 'gated' | 'concat' = 'gated') =>
  tinyModel({ ablate: 'no-temporal-encoder', fusion: { type: fusion }, lora: { rank: 0 } });

function checkExact(): void {
  it.each(['gated', 'concat'] as const)('gives exactly the output of mlp1 as visual tokens (fusion %s)', (fusion) => {
    const model = base(fusion);
    const features = model.encodeFrames(randomVideo(model.config, 3));
    const got = visualTokens(model, features);
    expect(got).toHaveLength(8 * 16);
    expect(got).toEqual(mlp1(model, features.spatial_ND));
    features.dispose();
    model.dispose();
  });

  it('does so for the tiles of a picture, as many as there are', () => {
    const model = base();
    for (const tiles of [1, 5]) {
      const features = model.encodeImage(randomFrames(tiles, 8, 4));
      expect(model.visualBlock(features)).toMatchObject({ kind: 'image', spatial: [4 * tiles], temporal: 0 });
      expect(visualTokens(model, features)).toEqual(mlp1(model, features.spatial_ND));
      features.dispose();
    }
    model.dispose();
  });
}

for (const backend of [CPU, NATIVE]) {
  describe(`the base model on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();
    checkExact();
  });
}

describe('the base model in bf16', () => {
  beforeAll(() => startBackend({ backend: 'native', device: 'cpu', precision: 'bf16' }));
  afterAll(() => startBackend({ backend: 'native', device: 'cpu', precision: 'fp32' }));
  checkExact();
});

describe('prompts without [VID] and [SEP]', () => {
  useBackend(CPU);
  checkLeaks();

  it('need no rows of theirs, and give them no gradient, so that they are not trained', () => {
    const model = base();
    model.parameters.get('special_tokens.weight')?.dispose();
    const features = model.encodeFrames(randomVideo(model.config, 3));
    const visual = Array<number>(model.numVisualTokens()).fill(VISUAL_ID);
    const ids = Int32Array.from([5, ...visual, 6, 3]);
    const labels = Int32Array.from(ids, (id, i) => (i === ids.length - 1 ? id : -100));
    const tokens = { ids, labels, numVisual: visual.length, answerTurn: labels.map((label) => (label < 0 ? -1 : 0)) };
    const batch = collate([{ id: 'a', tokens, features }], 'token');
    const gradientNames = () => {
      const loss = () => languageLoss(model, batch, { labelSmoothing: 0, normalizer: 1 });
      const trainable = model.parameters.trainable().filter(({ hasValue }) => hasValue);
      const { gradients } = lossAndGradients(trainable, loss);
      const names = [...gradients.keys()].map((name) => name.replace(/\..*/, ''));
      disposeGradients(gradients);
      return new Set(names);
    };
    model.parameters.train(['spatial projector', 'special tokens']);
    expect(gradientNames()).toEqual(new Set(['mlp1']));
    model.parameters.initialize(new Rng(1, 'weights'));
    expect(gradientNames()).toEqual(new Set(['mlp1']));
    features.dispose();
    model.dispose();
  });
});

describe('pictures', () => {
  useBackend(CPU);
  checkLeaks();

  it('go without temporal tokens in a model that has the branch', () => {
    const model = tinyModel();
    const features = model.encodeImage(randomFrames(3, 8, 4));
    expect(model.visualBlock(features)).toMatchObject({ spatial: [12], temporal: 0 });
    expect(model.visualBlock()).toMatchObject({ kind: 'video', spatial: [4, 4], temporal: 4 });
    expect(visualTokens(model, features)).toHaveLength(12 * 16);
    features.dispose();
    model.dispose();
  });

  it('do not stand in one batch with videos', () => {
    const model = base();
    const still = model.encodeImage(randomFrames(2, 8, 4));
    const video = new VideoFeatures(still.spatial_ND.clone(), null);
    expect(() => model.visualTokens([still, video])).toThrow('got videos and pictures in one batch');
    still.dispose();
    video.dispose();
    model.dispose();
  });
});
