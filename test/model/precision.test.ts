import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend } from '../../src/backend/select.js';
import { LANGUAGE_FAMILIES } from '../../src/model/language-family.js';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { VISUAL_ID } from '../../src/model/mimic-chat.js';
import { collate, totalWeight } from '../../src/train/batch.js';
import { checkpointedLossAndGradients } from '../../src/train/checkpointed-gradients.js';
import { randomVideo, tinyConfig, tinyModel } from '../support/tiny-model.js';

const device = { backend: 'native', device: 'cpu' } as const;

function storages(model: MimicChatModel): Record<string, string> {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('not a NativeBackend');
  return Object.fromEntries(model.parameters.list().map(({ name, value }) => [name, backend.storageOf(value)]));
}

/** Logits of a short prompt after a video. */
function logits(model: MimicChatModel): Float32Array {
  return tf.tidy(() => {
    const features = model.encodeFrames(randomVideo(model.config, 3));
    const visual_BVC = model.visualTokens([features]);
    const ids = Int32Array.from([1, ...Array<number>(model.numVisualTokens()).fill(VISUAL_ID), 2, 3, 4]);
    const hidden = model.decode(model.embed(ids, 1, ids.length, visual_BVC));
    const values = model.logits(tf.reshape(hidden, [-1, model.config.language.hiddenSize])).dataSync<'float32'>();
    features.dispose();
    return values;
  });
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Share of rows of `width` whose largest value stands at the same place. */
function top1Agreement(a: Float32Array, b: Float32Array, width: number): number {
  const tops = (x: Float32Array) =>
    Array.from({ length: x.length / width }, (_, row) => {
      const values = x.subarray(row * width, (row + 1) * width);
      return values.indexOf(Math.max(...values));
    });
  const [left, right] = [tops(a), tops(b)];
  return left.filter((top, row) => top === right[row]).length / left.length;
}

describe('precision bf16', () => {
  afterEach(() => useBackend({ ...device, precision: 'fp32' }));

  it('stores frozen matrices in bf16, vectors and trained parameters in f32', async () => {
    await useBackend({ ...device, precision: 'bf16' });
    const model = tinyModel();
    const frozen = storages(model);
    expect(frozen['language_model.model.layers.0.attention.wqkv.weight']).toBe('bf16');
    expect(frozen['language_model.model.layers.0.attention_norm.weight']).toBe('f32');
    model.parameters.train(['lora', 'gated fusion']);
    const trained = model.parameters.list().filter(({ trainable }) => trainable);
    expect(new Set(trained.map(({ name }) => storages(model)[name]))).toEqual(new Set(['f32']));
    expect(storages(model)['language_model.model.layers.0.attention.wqkv.weight']).toBe('bf16');
    model.dispose();
  });

  it.each(LANGUAGE_FAMILIES)('gives nearly the logits of fp32, and the same likeliest tokens (%s)', async (family) => {
    const inPrecision = async (precision: 'fp32' | 'bf16') => {
      await useBackend({ ...device, precision });
      const model = tinyModel({ language: { ...tinyConfig().language, family } });
      const values = logits(model);
      model.dispose();
      return values;
    };
    const want = await inPrecision('fp32');
    const got = await inPrecision('bf16');
    expect(got).not.toEqual(want);
    // Measured: 0.99994 for both, and all 16 positions.
    expect(cosine(got, want)).toBeGreaterThan(0.999);
    expect(top1Agreement(got, want, 23)).toBe(1);
  });

  it('gives f32 gradients that point where those of fp32 do', async () => {
    const gradientsIn = async (precision: 'fp32' | 'bf16') => {
      await useBackend({ ...device, precision });
      const model = tinyModel();
      model.parameters.train(['lora', 'spatial projector', 'temporal projector', 'gated fusion', 'special tokens']);
      const features = model.encodeFrames(randomVideo(model.config, 3));
      const visual = Array<number>(model.numVisualTokens()).fill(VISUAL_ID);
      const ids = Int32Array.from([model.vidId, ...visual, model.sepId, 3, 4, 5]);
      const labels = Int32Array.from(ids, (id, i) => (i >= ids.length - 3 ? id : -100));
      const batch = collate(
        [
          {
            id: 'a',
            tokens: { ids, labels, numVisual: visual.length, answerTurn: Int32Array.from(ids, () => 0) },
            features,
          },
        ],
        'token',
      );
      const { loss, gradients } = checkpointedLossAndGradients(model, batch, {
        labelSmoothing: 0,
        normalizer: totalWeight([batch]),
      });
      const backend: unknown = tf.backend();
      for (const gradient of gradients.values()) {
        expect(backend instanceof NativeBackend && backend.storageOf(gradient)).toBe('f32');
      }
      const flat = [...gradients.entries()]
        .sort(([a], [b]) => a.localeCompare(b))
        .flatMap(([, g]) => [...g.dataSync()]);
      tf.dispose([...gradients.values()]);
      features.dispose();
      model.dispose();
      return { loss, flat: Float32Array.from(flat) };
    };
    const want = await gradientsIn('fp32');
    const got = await gradientsIn('bf16');
    // Measured: losses 3.5389 and 3.5423, cosine of the gradients 0.9998.
    expect(Math.abs(got.loss - want.loss)).toBeLessThan(0.02 * want.loss);
    expect(cosine(got.flat, want.flat)).toBeGreaterThan(0.999);
  });
});
