import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.js';
import { log } from '../../../src/base/logger.js';
import { planLoad } from '../../../src/model/checkpoints/plan-load.js';
import { loadModelFolder, loadWeights } from '../../../src/model/load.js';
import { MimicChatModel } from '../../../src/model/mimic-chat.js';
import type { SafetensorsDtype } from '../../../src/model/weights/dtype.js';
import type { SourceTensor } from '../../../src/model/weights/source.js';
import { CPU, useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { temporaryFolder } from '../../train/temporary-folder.js';
import {
  INTERNVL_NAMES,
  openGvlabJson,
  randomValues,
  tinyInternvl,
  toInternvlHf,
  writeFolder,
} from './tiny-published.js';

const folder = temporaryFolder();

/** Names and shapes without values: planning reads none. */
function sourceOf(shapes: Readonly<Record<string, readonly number[]>>, dtype: SafetensorsDtype = 'BF16') {
  const tensors = new Map<string, SourceTensor>();
  for (const [name, shape] of Object.entries(shapes)) {
    const byteLength = 2 * shape.reduce((product, n) => product * n, 1);
    tensors.set(name, { name, dtype, shape, byteLength, file: 'weights/model.safetensors' });
  }
  return { path: 'weights', tensors };
}

const shapesOf = (family: 'internlm2' | 'qwen2' = 'internlm2', overrides: object = {}) =>
  Object.fromEntries(
    Array.from(randomValues(tinyInternvl(family, overrides), INTERNVL_NAMES), ([name, { shape }]) => [name, shape]),
  );

const modelOf = (overrides: object = {}) => new MimicChatModel(tinyInternvl('internlm2', overrides));

describe('planLoad', () => {
  useBackend(CPU);
  checkLeaks();
  const level = log.level;
  beforeAll(() => {
    log.level = 'silent';
  });
  afterAll(() => {
    log.level = level;
  });

  it('puts wqkv together from rows: query heads of a group, its key head, its value head', () => {
    const values = randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES);
    const hf = Object.fromEntries(Array.from(toInternvlHf(values, 'old'), ([name, { shape }]) => [name, shape]));
    const plan = planLoad(modelOf(), sourceOf(hf));
    expect(plan.problems).toEqual([]);
    const at = (part: string) => `language_model.model.layers.1.self_attn.${part}_proj.weight`;
    // 4 query heads of 4 rows in 2 groups.
    expect(plan.rows.get('language_model.model.layers.1.attention.wqkv.weight')).toEqual([
      { tensor: at('q'), start: 0, count: 8 },
      { tensor: at('k'), start: 0, count: 4 },
      { tensor: at('v'), start: 0, count: 4 },
      { tensor: at('q'), start: 8, count: 8 },
      { tensor: at('k'), start: 4, count: 4 },
      { tensor: at('v'), start: 4, count: 4 },
    ]);
  });

  it('lists every fault at once: missing, extra, shape, type, each with the nearest name, layers in one line', async () => {
    const values = randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES);
    for (const layer of [0, 1]) {
      const norm = `language_model.model.layers.${layer}.ffn_norm.weight`;
      values.set(norm.replace('ffn_norm', 'fnn_norm'), values.get(norm) ?? { shape: [], data: new Float32Array(1) });
      values.delete(norm);
    }
    values.set('mlp1.1.bias', { shape: [17], data: new Float32Array(17) });
    values.set('language_model.output.weight', { shape: [24, 16], data: new Float32Array(24 * 16) });
    const dir = await writeFolder(join(folder, 'faults'), {
      weights: values,
      json: { 'config.json': openGvlabJson('internlm2') },
    });
    const error: unknown = await loadModelFolder(dir).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CheckpointError);
    const { code, message } = error as CheckpointError;
    expect(code).toBe('E_WEIGHTS_MISMATCH');
    const layers = 'language_model.model.layers.{0-1}';
    expect(message.split('\n  ').slice(1).sort()).toEqual([
      `${layers}.ffn_norm.weight: missing; nearest in the file: ${layers}.fnn_norm.weight`,
      `${layers}.fnn_norm.weight: in the file, not expected; nearest expected: ${layers}.ffn_norm.weight`,
      'language_model.output.weight: shape [24,16] in the file, expected [23,16]',
      'mlp1.1.bias: shape [17] in the file, expected [16]',
    ]);
    expect(message).toContain(
      "6 tensors do not fit (2 missing, 2 not expected, 2 wrong shape), read as InternVL, OpenGVLab's names",
    );
  });

  it('refuses integers, such as quantized weights', () => {
    const { problems } = planLoad(modelOf(), sourceOf({ ...shapesOf() }, 'I8'));
    expect(problems).toHaveLength(Object.keys(shapesOf()).length);
    expect(problems[0]).toMatchObject({ kind: 'type', got: 'I8' });
  });

  it('names what a part wanted when all its names are a little off', () => {
    const shapes = Object.fromEntries(
      Object.entries(shapesOf()).map(([name, shape]) => [
        name
          .replace('vision_model.encoder', 'vision_model.encodr')
          .replace('vision_model.embeddings', 'vision_model.embedding'),
        shape,
      ]),
    );
    const { problems } = planLoad(modelOf(), sourceOf(shapes));
    const kinds = (kind: string) => problems.filter((problem) => problem.kind === kind).length;
    expect([kinds('missing'), kinds('extra')]).toEqual([32, 32]);
  });

  it('checks the rows of split tensors together: a key head too many is a wrong shape', () => {
    const values = randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES);
    const hf = Object.fromEntries(Array.from(toInternvlHf(values, 'new'), ([name, { shape }]) => [name, [...shape]]));
    hf['model.language_model.layers.0.self_attn.k_proj.weight'] = [12, 16];
    const { problems } = planLoad(modelOf(), sourceOf(hf));
    const name = 'model.language_model.layers.0.self_attn.k_proj.weight';
    expect(problems).toEqual([{ kind: 'shape', name, got: [12, 16], expected: [8, 16] }]);
  });

  it('leaves out constants, classifiers and parts that are off, and says why', () => {
    const inverse = 'language_model.model.layers.0.attention.rotary_emb.inv_freq';
    const plan = planLoad(modelOf(), sourceOf({ ...shapesOf(), [inverse]: [2] }));
    expect(plan.ignored).toEqual([{ name: inverse, reason: 'a constant that is computed' }]);
    expect(plan.problems).toEqual([]);
    const ablated = planLoad(
      modelOf({
        ablate: 'no-spatial-projector',
        temporal: { imageSize: 8, patchSize: 2, hiddenSize: 12, numHeads: 3, numLayers: 1 },
      }),
      sourceOf(shapesOf()),
    );
    expect(ablated.problems).toEqual([]);
    expect(ablated.ignored.map(({ name }) => name)).toEqual(
      Object.keys(shapesOf()).filter((name) => name.startsWith('mlp1')),
    );
    expect(ablated.absentParts).toContain('temporal encoder');
  });

  it("starts a spatial projector of another width fresh instead of from InternVL's", () => {
    const plan = planLoad(modelOf({ projector: { spatialHidden: 6 } }), sourceOf(shapesOf()));
    expect(plan.problems).toEqual([]);
    expect(plan.absentParts).toContain('spatial projector');
    expect(plan.ignored[0]?.reason).toBe('projector.spatialHidden is 6: the projector starts fresh');
  });

  it('refuses names of no layout, and a temporal base that is no TimeSformer', async () => {
    expect(() => planLoad(modelOf(), sourceOf({ 'conv1.weight': [3, 3] }))).toThrow(
      /1 tensors in no layout that is known: conv1\.weight/,
    );
    const dir = await writeFolder(join(folder, 'other'), { weights: randomValues(tinyInternvl('qwen2'), /^mlp1/) });
    const model = modelOf();
    const { loadWeightsFrom } = await import('../../../src/model/checkpoints/load-weights.js');
    await expect(loadWeightsFrom(dir, model, { label: 'temporalBase', isTemporal: true })).rejects.toThrow(
      'expected the weights of a TimeSformer',
    );
    model.dispose();
  });

  it('loads nothing when something does not fit', async () => {
    const values = randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES);
    values.delete('mlp1.3.bias');
    const dir = await writeFolder(join(folder, 'nothing'), { weights: values });
    const model = modelOf();
    await expect(loadWeights(model, dir)).rejects.toThrow('mlp1.3.bias: missing');
    expect(model.parameters.list().some(({ hasValue }) => hasValue)).toBe(false);
  });
});
