import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { KvCache } from '../../src/model/kv-cache.js';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { tinyModel } from '../support/tiny-model.js';

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

describe('decoder', () => {
  useBackend(CPU);
  checkLeaks();
  const vocab = 23;

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
