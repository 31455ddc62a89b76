import { describe, expect, it } from 'vitest';
import { type ABLATIONS, ModelSchema } from '../../src/model/config.js';
import { MimicChatModel } from '../../src/model/mimic-chat.js';
import { tinyConfig } from '../support/tiny-model.js';

const counts = (model: MimicChatModel) =>
  Object.fromEntries(model.parameters.countByPart().map(({ part, total }) => [part, total]));
const shapes = (model: MimicChatModel) =>
  new Map(model.parameters.list().map(({ name, shape }) => [name, shape.join('x')]));

describe('parameters of the 8B model', () => {
  const model = new MimicChatModel(ModelSchema.parse({}));

  it('count what the published checkpoints hold', () => {
    expect(counts(model)).toMatchObject({
      'spatial encoder': 304_012_288,
      'temporal encoder': 121_716_480,
      'spatial projector': 33_570_816,
      'language model': 7_737_782_272,
      lora: 9_437_184,
    });
  });

  it('carry the names and shapes of the published checkpoints', () => {
    const byName = shapes(model);
    expect(byName.get('vision_model.embeddings.patch_embedding.weight')).toBe('1024x3x14x14');
    expect(byName.get('vision_model.embeddings.position_embedding')).toBe('1x1025x1024');
    expect(byName.get('vision_model.encoder.layers.23.attn.qkv.bias')).toBe('3072');
    expect(byName.get('mlp1.1.weight')).toBe('4096x4096');
    expect(byName.get('timesformer.embeddings.time_embeddings')).toBe('1x16x768');
    expect(byName.get('timesformer.encoder.layer.11.temporal_attention.attention.qkv.weight')).toBe('2304x768');
    expect(byName.get('language_model.model.tok_embeddings.weight')).toBe('92553x4096');
    expect(byName.get('language_model.model.layers.31.attention.wqkv.weight')).toBe('6144x4096');
    expect(byName.get('language_model.model.layers.0.attention.wqkv.lora_A.weight')).toBe('16x4096');
    expect(byName.get('language_model.output.weight')).toBe('92553x4096');
  });

  it('gives 2,048 spatial and 128 temporal tokens a video', () => {
    expect(model.numVisualTokens()).toBe(2048 + 128);
  });
});

describe('ablations change exactly what they say', () => {
  const full = shapes(new MimicChatModel(tinyConfig()));
  const difference = (ablate: (typeof ABLATIONS)[number]) => {
    const ablated = shapes(new MimicChatModel(tinyConfig({ ablate })));
    const removed = [...full.keys()].filter((name) => !ablated.has(name));
    const added = [...ablated.keys()].filter((name) => !full.has(name));
    const reshaped = [...full].filter(([name, shape]) => ablated.has(name) && ablated.get(name) !== shape);
    return { removed, added, reshaped };
  };

  it('no-lora removes the adapters and nothing else', () => {
    const { removed, added, reshaped } = difference('no-lora');
    expect(removed).toEqual([...full.keys()].filter((name) => name.includes('lora_')));
    expect(removed).toHaveLength(8);
    expect({ added, reshaped }).toEqual({ added: [], reshaped: [] });
  });

  it('no-temporal-encoder removes the temporal branch and nothing else', () => {
    const { removed, added, reshaped } = difference('no-temporal-encoder');
    const temporal = /^(timesformer|temporal_mlp1|fusion\.temporal)\.|^visual_positions\.temporal_time$/;
    expect(removed).toEqual([...full.keys()].filter((name) => temporal.test(name)));
    expect({ added, reshaped }).toEqual({ added: [], reshaped: [] });
  });

  it('no-temporal-projector sends temporal tokens through the spatial projector behind a width adapter', () => {
    const { removed, added, reshaped } = difference('no-temporal-projector');
    expect(removed).toEqual([...full.keys()].filter((name) => name.startsWith('temporal_mlp1.')));
    expect({ added, reshaped }).toEqual({ added: ['temporal_width_adapter.weight'], reshaped: [] });
  });

  it('no-spatial-projector sends spatial tokens through the temporal projector behind a width adapter', () => {
    const { removed, added, reshaped } = difference('no-spatial-projector');
    expect(removed).toEqual([...full.keys()].filter((name) => name.startsWith('mlp1.')));
    expect({ added, reshaped }).toEqual({ added: ['spatial_width_adapter.weight'], reshaped: [] });
  });

  it('needs no adapter where the branches are equally wide', () => {
    const wide = tinyConfig({ ablate: 'no-temporal-projector' });
    const equal = { ...wide, temporal: { ...wide.temporal, hiddenSize: 4 * wide.spatial.hiddenSize, numHeads: 4 } };
    expect([...shapes(new MimicChatModel(equal)).keys()].filter((name) => name.includes('adapter'))).toEqual([]);
  });
});

describe('training parts', () => {
  it('marks exactly the named parts', () => {
    const model = new MimicChatModel(tinyConfig());
    model.parameters.train(['lora', 'gated fusion']);
    expect(new Set(model.parameters.trainable().map(({ part }) => part))).toEqual(new Set(['lora', 'gated fusion']));
  });

  it('refuses a part that owns nothing', () => {
    const model = new MimicChatModel(tinyConfig({ ablate: 'no-lora' }));
    expect(() => model.parameters.train(['lora'])).toThrow('train.parts names "lora", which owns no parameter here.');
  });
});
