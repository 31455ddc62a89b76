import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { useBackend as start } from '../../../src/backend/select.js';
import { SamplingSchema } from '../../../src/data/video/sampling.js';
import type { MimicChatModel } from '../../../src/model/mimic-chat.js';
import { encoderHash } from '../../../src/train/features/encoder-hash.js';
import { featureKey, featureRecipe } from '../../../src/train/features/feature-key.js';
import { NATIVE } from '../../backend/native.js';
import { useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { tinyConfig, tinyModel } from '../../support/tiny-model.js';

const SAMPLING = { size: 8, numFrames: 2 };

function recipeOf(model: MimicChatModel, sampling = {}, kind: 'video' | 'image' = 'video'): string {
  const weights = encoderHash(model);
  const recipe = featureRecipe(model, SamplingSchema.parse({ ...SAMPLING, ...sampling }), { weights, kind });
  model.dispose();
  return recipe;
}

describe('what names an entry', () => {
  useBackend(NATIVE);
  checkLeaks();
  afterAll(() => start({ backend: 'native', device: 'cpu' }));
  const { spatial, temporal, language } = tinyConfig();

  it('is another for other sampling, preprocessing, encoders, precision, backend and kind', async () => {
    const recipes = [
      recipeOf(tinyModel()),
      recipeOf(tinyModel(), { numFrames: 3 }),
      recipeOf(tinyModel(), { temporal: { fps: 2 } }),
      recipeOf(tinyModel(), { resize: 'area' }),
      recipeOf(tinyModel(), { fit: 'squash' }),
      recipeOf(tinyModel({ spatial: { ...spatial, mean: [0.5, 0.456, 0.406] } })),
      recipeOf(tinyModel({ temporal: { ...temporal, std: [0.2, 0.225, 0.225] } })),
      recipeOf(tinyModel({ temporal: { ...temporal, pool: [1, 2, 2] } })),
      recipeOf(tinyModel({ ablate: 'no-temporal-encoder' })),
      recipeOf(tinyModel({}, 2)),
      recipeOf(tinyModel(), {}, 'image'),
    ];
    await start({ backend: 'native', device: 'cpu', precision: 'bf16' });
    recipes.push(recipeOf(tinyModel()));
    await tf.setBackend('wasm');
    recipes.push(recipeOf(tinyModel()));
    await start({ backend: 'native', device: 'cpu' });
    expect(new Set(recipes).size).toBe(13);
    expect(featureKey(recipes[0] ?? '', 'content')).not.toBe(featureKey(recipes[0] ?? '', 'other content'));
  });

  it('is the same for other parts of the model, of its configuration, and orders of keys', () => {
    const same = recipeOf(tinyModel());
    expect(same).toMatch(/^[0-9a-f]{64}$/);
    const changed = tinyModel({ language: { ...language, numLayers: 1 }, lora: { rank: 1, alpha: 2, dropout: 0 } });
    expect(recipeOf(changed)).toBe(same);
    const { mean, ...rest } = spatial;
    expect(recipeOf(tinyModel({ spatial: { ...rest, maxTiles: 3, positionStd: 0.02, mean } }))).toBe(same);
    expect(recipeOf(tinyModel({ ablate: 'no-spatial-projector' }))).toBe(same);
    // Without the encoder nothing looks at the full sequence.
    const withoutTemporal = () => tinyModel({ ablate: 'no-temporal-encoder' });
    expect(recipeOf(withoutTemporal(), { temporal: { fps: 2 } })).toBe(recipeOf(withoutTemporal()));
  });

  it('changes with one bit of one encoder weight, also beyond the first piece', () => {
    const model = tinyModel();
    const before = encoderHash(model);
    const [first] = model.parameters.list().filter(({ part }) => part === 'temporal encoder');
    if (first === undefined) throw new Error('no temporal encoder');
    const values = Float32Array.from(first.value.dataSync());
    new Uint32Array(values.buffer).set([(new Uint32Array(values.buffer).at(-1) ?? 0) ^ 1], values.length - 1);
    first.value = tf.tensor(values, [...first.shape]);
    expect(encoderHash(model)).not.toBe(before);
    model.dispose();
  });
});
