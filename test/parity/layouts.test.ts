/** The loader on the tiny folders of every layout: config.json read, names and rows placed, numbers of the reference. */
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import type { LanguageFamily } from '../../src/model/language-family.js';
import { loadModelFolder, loadWeightsFrom } from '../../src/model/load.js';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { NATIVE } from '../backend/native.js';
import { useBackend } from '../support/backends.js';
import { GOLDENS, readGolden } from './goldens.js';
import { maxDifference } from './measures.js';
import { internvlModel, logitsOf, setByName, TEMPORAL, taken, textLogitsOf, timeFirst } from './tiny-reference.js';

const folder = (name: string) => join(GOLDENS, name);

const INTERNVL: readonly [name: string, family: LanguageFamily][] = [
  ['internvl2_5-internlm2', 'internlm2'],
  ['internvl2_5-internlm2-hf', 'internlm2'],
  ['internvl2_5-qwen2', 'qwen2'],
  ['internvl2_5-qwen2-hf-old', 'qwen2'],
  ['internvl2_5-qwen2-hf-new', 'qwen2'],
];

describe('published folders', () => {
  useBackend(NATIVE);
  const models: MimicChatModel[] = [];
  afterEach(() => {
    for (const model of models.splice(0)) model.dispose();
  });
  const kept = (model: MimicChatModel): MimicChatModel => {
    models.push(model);
    return model;
  };

  it.each(INTERNVL)('%s gives the logits of the reference', async (name, family) => {
    const golden = await readGolden(`internvl-${family}.safetensors`);
    const model = kept((await loadModelFolder(folder(name))).model);
    // Measured 6.6e-6, as with weights that are set by name.
    expect(maxDifference(logitsOf(model, family, golden, 'ids'), golden.tensor('logits'))).toBeLessThan(1e-4);
  });

  it.each(INTERNVL)('%s gives the very values that plain reading gives', async (name, family) => {
    const model = kept((await loadModelFolder(folder(name))).model);
    const twin = kept(internvlModel(family));
    expect(await setByName(twin.parameters, `internvl2_5-${family}`)).toEqual([]);
    const values = (value: tf.Tensor | undefined) => Array.from(value?.dataSync() ?? []);
    const published = twin.parameters.list().filter(({ hasValue }) => hasValue);
    expect(published.length).toBeGreaterThan(50);
    for (const { name, value } of published) {
      expect(values(model.parameters.get(name)?.value), name).toEqual(values(value));
    }
  });

  it.each(['timesformer', 'timesformer-bin'])('%s gives the tokens of the reference', async (name) => {
    const golden = await readGolden('timesformer.safetensors');
    const model = kept(internvlModel('qwen2', { ablate: 'none', temporal: { ...TEMPORAL, pool: [4, 4, 4] } }));
    await loadWeightsFrom(folder(name), model, { label: 'temporalBase', isTemporal: true });
    const tokens = model.temporalEncoder?.encode(golden.frames('frames.4x24'));
    if (tokens === undefined) throw new Error('the temporal branch is off');
    // Measured 1.1e-6.
    expect(maxDifference(taken(tokens), timeFirst(golden.tensor('tokens.4x24'), 4))).toBeLessThan(1e-5);
  });
});

describe("peft's adapters", () => {
  useBackend(NATIVE);
  const base = folder('internvl2_5-internlm2');

  it.each([
    ['on-language-model', base],
    ['on-whole-model', base],
    ['in-model', undefined],
  ])('%s gives the logits of the reference', async (name, given) => {
    const golden = await readGolden('adapter-logits.safetensors');
    const options = given === undefined ? {} : { base: given };
    const { model } = await loadModelFolder(folder(join('adapters', name)), options);
    const logits = textLogitsOf(model, golden);
    model.dispose();
    expect(maxDifference(logits, golden.tensor('plain_logits'))).toBeGreaterThan(0.1);
    // Measured 4.7e-6.
    expect(maxDifference(logits, golden.tensor('logits'))).toBeLessThan(1e-4);
  });
});
