import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { ModelSchema } from '../../src/model/config.js';
import { KvCache } from '../../src/model/kv-cache.js';
import { LANGUAGE_FAMILIES, type LanguageFamily, type LoraTarget, linearsOf } from '../../src/model/language-family.js';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { NATIVE } from '../backend/native.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { plainLogits } from '../support/plain-decoder.js';
import { tinyModel as tinyAny, tinyConfig } from '../support/tiny-model.js';

/** Logits [length * vocab] of one row of ids, all in one pass. */
function logitsOf(model: MimicChatModel, ids: number[][]): Float32Array[] {
  const length = ids[0]?.length ?? 0;
  const values = tf.tidy(() => {
    const embeds = model.embed(Int32Array.from(ids.flat()), ids.length, length, null);
    const hidden = model.decode(embeds);
    return model.logits(tf.reshape(hidden, [ids.length * length, -1]) as tf.Tensor2D).dataSync() as Float32Array;
  });
  const size = length * model.config.language.vocabSize;
  return ids.map((_, row) => values.slice(row * size, (row + 1) * size));
}

const maxDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (value, i) => Math.abs(value - (b[i] ?? Number.NaN))).reduce((x, y) => Math.max(x, y), 0);

/** Another value for every bias, norm weight and adapter, which start at zeros and ones. */
function shake(model: MimicChatModel): void {
  const rng = new Rng(9, 'shake');
  for (const parameter of model.parameters.list()) {
    if (parameter.init.kind !== 'constant') continue;
    const offset = parameter.init.value;
    const values = Float32Array.from({ length: parameter.size }, () => offset + 0.3 * rng.normal());
    parameter.value = tf.tensor(values, [...parameter.shape]);
  }
}

describe.each(LANGUAGE_FAMILIES)('decoder of %s', (family) => {
  useBackend(CPU);
  checkLeaks();
  const vocab = 23;
  const language = { ...tinyConfig().language, family };
  const tinyModel = (overrides: Parameters<typeof tinyAny>[0] = {}) => tinyAny({ language, ...overrides });

  it('is causal: a later token changes no earlier logit', () => {
    const model = tinyModel();
    const [a, b] = logitsOf(model, [
      [3, 7, 1, 9, 4],
      [3, 7, 1, 20, 5],
    ]);
    const same = 3 * vocab;
    expect(a?.slice(0, same)).toEqual(b?.slice(0, same));
    expect(maxDifference(a?.slice(same) ?? [], b?.slice(same) ?? [])).toBeGreaterThan(1e-3);
    model.dispose();
  });

  it('gives a sample the same logits alone, in a batch, and padded on the right', () => {
    const model = tinyModel();
    const [alone] = logitsOf(model, [[3, 7, 1]]);
    const [padded] = logitsOf(model, [
      [3, 7, 1, 0, 0],
      [8, 2, 2, 6, 10],
    ]);
    expect(padded?.slice(0, 3 * vocab)).toEqual(alone);
    model.dispose();
  });

  it('with a KV cache equals full recomputation, token by token and in pieces', () => {
    const model = tinyModel();
    const ids = [3, 7, 1, 9, 4, 11];
    const [full] = logitsOf(model, [ids]);
    for (const pieces of [
      [1, 1, 1, 1, 1, 1],
      [4, 2],
      [2, 3, 1],
    ]) {
      const cache = new KvCache();
      const rows: number[] = [];
      let start = 0;
      for (const length of pieces) {
        const part = Int32Array.from(ids.slice(start, start + length));
        const logits = tf.tidy(() => {
          const hidden = model.decode(model.embed(part, 1, length, null), { cache });
          return model.logits(tf.reshape(hidden, [length, -1]) as tf.Tensor2D).dataSync();
        });
        rows.push(...logits);
        start += length;
      }
      expect(cache.length).toBe(6);
      cache.dispose();
      // Measured 0: every sum runs over the same terms in the same order.
      expect(maxDifference(full ?? [], rows)).toBe(0);
    }
    model.dispose();
  });

  it('forks a cache without the forks seeing each other', () => {
    const model = tinyModel();
    const feed = (cache: KvCache, ids: number[]) =>
      tf.tidy(() => {
        const hidden = model.decode(model.embed(Int32Array.from(ids), 1, ids.length, null), { cache });
        return Array.from(hidden.dataSync());
      });
    const prefix = new KvCache();
    feed(prefix, [3, 7]);
    const first = prefix.fork();
    const second = prefix.fork();
    feed(first, [5, 5, 5]);
    const fromSecond = feed(second, [1]);
    const fresh = prefix.fork();
    expect(fromSecond).toEqual(feed(fresh, [1]));
    expect([prefix.length, first.length, second.length]).toEqual([2, 5, 3]);
    for (const cache of [prefix, first, second, fresh]) cache.dispose();
    model.dispose();
  });

  it('starts with LoRA changing nothing, and dropout off gives the same twice', () => {
    const adapted = tinyModel();
    const bare = tinyModel({ ablate: 'no-lora' });
    const [withLora] = logitsOf(adapted, [[3, 7, 1]]);
    const [without] = logitsOf(bare, [[3, 7, 1]]);
    expect(withLora).toEqual(without);
    adapted.dispose();
    bare.dispose();
  });
});

describe.each(
  [CPU, NATIVE].flatMap((backend) => LANGUAGE_FAMILIES.map((family) => ({ backend, family, label: backend.label }))),
)('decoder of $family on $label', ({ backend, family }) => {
  useBackend(backend);
  checkLeaks();

  it('gives the logits of the same sums in plain loops, with an adapter on every linear', () => {
    const targets = [...linearsOf(family)];
    const language = { ...tinyConfig().language, family };
    const model = tinyAny({ language, lora: { rank: 3, alpha: 6, targets } });
    shake(model);
    const ids = [3, 7, 1, 9, 4, 11];
    const [got = new Float32Array()] = logitsOf(model, [ids]);
    const want = plainLogits(model, ids).flat();
    expect(got).toHaveLength(want.length);
    // Measured: at most 1.3e-6, for logits of up to 3.3.
    expect(maxDifference(got, want)).toBeLessThan(6e-6);
    model.dispose();
  });
});

describe('language.family', () => {
  const names = (family: LanguageFamily, lora: { rank: number; targets?: LoraTarget[] }) => {
    const model = tinyAny({ language: { ...tinyConfig().language, family, numLayers: 1 }, lora });
    const all = model.parameters.list().filter(({ name }) => name.startsWith('language_model.'));
    const shown = all.map(({ name, shape }) => `${name.replace('language_model.', '')} [${shape}]`);
    model.dispose();
    return shown;
  };

  useBackend(CPU);

  it('names parameters as the checkpoints of InternVL2.5-8B and -1B do', () => {
    expect(names('internlm2', { rank: 0 })).toEqual([
      'model.tok_embeddings.weight [23,16]',
      'model.layers.0.attention_norm.weight [16]',
      'model.layers.0.attention.wqkv.weight [32,16]',
      'model.layers.0.attention.wo.weight [16,16]',
      'model.layers.0.ffn_norm.weight [16]',
      'model.layers.0.feed_forward.w1.weight [20,16]',
      'model.layers.0.feed_forward.w3.weight [20,16]',
      'model.layers.0.feed_forward.w2.weight [16,20]',
      'model.norm.weight [16]',
      'output.weight [23,16]',
    ]);
    expect(names('qwen2', { rank: 0 })).toEqual([
      'model.embed_tokens.weight [23,16]',
      'model.layers.0.input_layernorm.weight [16]',
      'model.layers.0.self_attn.q_proj.weight [16,16]',
      'model.layers.0.self_attn.q_proj.bias [16]',
      'model.layers.0.self_attn.k_proj.weight [8,16]',
      'model.layers.0.self_attn.k_proj.bias [8]',
      'model.layers.0.self_attn.v_proj.weight [8,16]',
      'model.layers.0.self_attn.v_proj.bias [8]',
      'model.layers.0.self_attn.o_proj.weight [16,16]',
      'model.layers.0.post_attention_layernorm.weight [16]',
      'model.layers.0.mlp.gate_proj.weight [20,16]',
      'model.layers.0.mlp.up_proj.weight [20,16]',
      'model.layers.0.mlp.down_proj.weight [16,20]',
      'model.norm.weight [16]',
      'lm_head.weight [23,16]',
    ]);
  });

  it('puts adapters on the attention by default, and on what lora.targets names', () => {
    const adapted = (family: LanguageFamily, targets?: LoraTarget[]) => {
      const lora = { rank: 2, ...(targets === undefined ? {} : { targets }) };
      const found = names(family, lora).flatMap((name) => /(\w+)\.lora_A/.exec(name)?.[1] ?? []);
      return found.join(' ');
    };
    expect(adapted('internlm2')).toBe('wqkv wo');
    expect(adapted('qwen2')).toBe('q_proj k_proj v_proj o_proj');
    expect(adapted('qwen2', ['v_proj', 'down_proj'])).toBe('v_proj down_proj');
  });

  it('refuses an adapter on a linear of the other family, naming those there are', () => {
    const parsed = ModelSchema.safeParse({ language: { family: 'qwen2' }, lora: { targets: ['q_proj', 'wqkv'] } });
    expect(parsed.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
      'lora.targets.1: wqkv is no linear of language.family qwen2, which has ' +
        'q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj',
    ]);
  });

  it('refuses a sequence beyond the positions of the weights', () => {
    const model = tinyAny({ language: { ...tinyConfig().language, maxPositions: 4 } });
    expect(() => logitsOf(model, [[1, 2, 3, 4, 5]])).toThrow(
      'a sequence of 5 tokens, expected at most 4 (model.language.maxPositions)',
    );
    const cache = new KvCache();
    const feed = (ids: number[]) =>
      tf.tidy(() => model.decode(model.embed(Int32Array.from(ids), 1, ids.length, null), { cache }).dataSync());
    feed([1, 2, 3]);
    expect(() => feed([4, 5])).toThrow('a sequence of 5 tokens');
    cache.dispose();
    model.dispose();
  });
});
