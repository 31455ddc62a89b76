import { describe, expect, it } from 'vitest';
import { modelSizes, type PublishedModel } from '../../../src/model/random-weights/catalog.js';
import { hfTensors } from '../../../src/model/random-weights/hf-layout.js';
import {
  internVlTensors,
  type RandomTensor,
  sizeOf,
  timesformerTensors,
} from '../../../src/model/random-weights/tensors.js';

function tensorsOf(name: PublishedModel): RandomTensor[] {
  const sizes = modelSizes(name, 'full');
  return sizes.kind === 'internvl' ? internVlTensors(sizes) : timesformerTensors(sizes);
}

const count = (tensors: readonly RandomTensor[]) => tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

describe('tensors of published models', () => {
  // The `total_size` that the published index states (8B), and the published file sizes.
  it.each([
    ['internvl2.5-8b', 573, 16_150_730_752],
    ['internvl2.5-1b', 637, 1_876_386_048],
  ] as const)('%s: as many and as large as published', (name, tensors, bytes) => {
    const list = tensorsOf(name);
    expect(list).toHaveLength(tensors);
    expect(2 * count(list)).toBe(bytes);
  });

  it.each([
    ['timesformer-hr', 121_716_480],
    ['timesformer-base', 121_258_752],
  ] as const)('%s: as large as published, plus the classifier', (name, backbone) => {
    expect(count(tensorsOf(name))).toBe(backbone + 400 * 769);
  });

  it('names no tensor twice', () => {
    for (const name of ['internvl2.5-8b', 'internvl2.5-1b', 'timesformer-hr'] as const) {
      const list = tensorsOf(name);
      expect(new Set(list.map((tensor) => tensor.name)).size).toBe(list.length);
    }
  });

  it.each([
    ['internvl2.5-8b', 'vision_model.embeddings.position_embedding', [1, 1025, 1024]],
    ['internvl2.5-8b', 'vision_model.encoder.layers.23.ls2', [1024]],
    ['internvl2.5-8b', 'language_model.model.layers.31.attention.wqkv.weight', [6144, 4096]],
    ['internvl2.5-8b', 'language_model.output.weight', [92553, 4096]],
    ['internvl2.5-8b', 'mlp1.0.bias', [4096]],
    ['internvl2.5-1b', 'language_model.model.layers.0.self_attn.k_proj.bias', [128]],
    ['internvl2.5-1b', 'language_model.lm_head.weight', [151674, 896]],
    ['timesformer-hr', 'timesformer.embeddings.time_embeddings', [1, 16, 768]],
    ['timesformer-hr', 'timesformer.encoder.layer.11.temporal_attention.attention.qkv.weight', [2304, 768]],
    ['timesformer-hr', 'classifier.weight', [400, 768]],
  ] as const)('%s: %s %j', (model, name, shape) => {
    expect(tensorsOf(model).find((tensor) => tensor.name === name)?.shape).toEqual(shape);
  });
});

describe('hfTensors', () => {
  const sizes = modelSizes('internvl2.5-8b', 'full');
  if (sizes.kind !== 'internvl') throw new Error('internvl2.5-8b is no InternVL');
  const tensors = hfTensors(internVlTensors(sizes), sizes);

  it('holds as many parameters, under no name of the other layout', () => {
    expect(2 * count(tensors)).toBe(16_150_730_752);
    expect(
      tensors.filter(({ name }) => /vision_model|mlp1|wqkv|feed_forward|attention_norm|\.ls\d/.test(name)),
    ).toEqual([]);
  });

  it('splits wqkv by key/value group', () => {
    const find = (name: string) =>
      tensors.find((tensor) => tensor.name.endsWith(`layers.3.self_attn.${name}_proj.weight`));
    expect(find('q')?.shape).toEqual([4096, 4096]);
    expect(find('k')?.shape).toEqual([1024, 4096]);
    // Group 2: queries in rows 12 * 128 to 16 * 128, the key in the 128 rows after them, then the value.
    expect(find('q')?.pieces[2]).toMatchObject({ start: 12 * 128 * 4096, count: 4 * 128 * 4096 });
    expect(find('k')?.pieces[2]).toMatchObject({ start: 16 * 128 * 4096, count: 128 * 4096 });
    expect(find('v')?.pieces[2]).toMatchObject({ start: 17 * 128 * 4096, count: 128 * 4096 });
  });
});
