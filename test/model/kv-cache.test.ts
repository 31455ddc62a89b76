import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, vi } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { KvCache } from '../../src/model/kv-cache.js';
import { LANGUAGE_FAMILIES } from '../../src/model/language-family.js';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { NATIVE } from '../backend/native.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { tinyConfig, tinyModel } from '../support/tiny-model.js';

/** [B = 1, T, G = 1, D = 1] that holds the values. */
const tokens = (...values: number[]) => tf.tensor4d(values, [1, values.length, 1, 1]);

function push(cache: KvCache, ...values: number[]): void {
  tf.tidy(() => {
    const x = tokens(...values);
    cache.append(0, x, tf.neg(x));
    cache.append(1, tf.mul(x, 10), x);
  });
}

/** What the cache holds of one layer's keys and of the other's values, read through an append of one token more. */
function read(cache: KvCache): number[][] {
  const fork = cache.fork();
  const held = tf.tidy(() => {
    const [first, second] = [fork.append(0, tokens(99), tokens(99)), fork.append(1, tokens(99), tokens(99))];
    return [first.k_BSGD, second.v_BSGD].map((x) => Array.from(x.dataSync()).slice(0, first.keys - 1));
  });
  fork.dispose();
  return held;
}

for (const backend of [CPU, NATIVE]) {
  describe(`KvCache on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    it('keeps forks apart, whoever appends first and however often', () => {
      const prefix = new KvCache();
      push(prefix, 1, 2);
      const [a, b] = [prefix.fork(), prefix.fork()];
      push(a, 3);
      push(b, 4);
      push(prefix, 5, 6);
      push(a, 7);
      const c = a.fork();
      push(c, 8);
      push(a, 9);
      const want: [KvCache, number[]][] = [
        [prefix, [1, 2, 5, 6]],
        [a, [1, 2, 3, 7, 9]],
        [b, [1, 2, 4]],
        [c, [1, 2, 3, 7, 8]],
      ];
      for (const [cache, values] of want) {
        expect(read(cache)).toEqual([values, values]);
        expect(cache.length).toBe(values.length);
      }
      for (const [cache] of want) cache.dispose();
    });

    it('grows past its capacity, token by token', () => {
      const cache = new KvCache();
      const values = Array.from({ length: 150 }, (_, i) => i + 1);
      for (const value of values) push(cache, value);
      expect([read(cache), cache.capacity]).toEqual([[values, values], 256]);
      cache.dispose();
    });

    it('repeats its batch for several candidates, apart from the original', () => {
      const cache = new KvCache();
      push(cache, 1, 2);
      const three = cache.fork(3);
      push(cache, 5);
      tf.tidy(() => {
        const x = tf.tensor4d([3, 4, 5], [3, 1, 1, 1]);
        const { k_BSGD, keys } = three.append(0, x, x);
        const used = Array.from(tf.slice(k_BSGD, 0, [3, keys, 1, 1]).dataSync());
        expect(used).toEqual([1, 2, 3, 1, 2, 4, 1, 2, 5]);
      });
      cache.dispose();
      three.dispose();
    });

    it.each(LANGUAGE_FAMILIES)('decodes steps of %s whose position is on the device as it decodes others', (family) => {
      const model = tinyModel({ language: { ...tinyConfig().language, family } });
      const ids = [3, 7, 1, 9, 4];
      const plain = new KvCache();
      const wanted = ids.map((id) => step(model, plain, id));
      const cache = new KvCache();
      step(model, cache, ids[0] ?? 0);
      const before = cache.fork();
      cache.reserve(8);
      const got = ids.slice(1).map((id, i) => {
        const [ids_B, position_1, keyCount_1] = [id, i + 1, i + 2].map((value) => tf.tensor1d([value], 'int32'));
        if (!ids_B || !position_1 || !keyCount_1) throw new RangeError('a tensor is missing');
        const logits = model.decodeStep(ids_B, cache, { position_1, keyCount_1 });
        cache.advance(1);
        const values = Array.from(logits.dataSync());
        tf.dispose([ids_B, position_1, keyCount_1, logits]);
        return values;
      });
      expect(got).toEqual(wanted.slice(1));
      expect([cache.length, before.length]).toEqual([5, 1]);
      // The fork from before the reservation goes its own way.
      expect(step(model, before, ids[1] ?? 0)).toEqual(wanted[1]);
      for (const one of [plain, cache, before]) one.dispose();
      model.dispose();
    });
  });
}

/** Logits after one more token. */
function step(model: MimicChatModel, cache: KvCache, id: number): number[] {
  return tf.tidy(() => {
    const hidden = model.decode(model.embed(Int32Array.of(id), 1, 1, null), { cache });
    return Array.from(model.logits(tf.reshape(hidden, [1, -1]) as tf.Tensor2D).dataSync());
  });
}

describe('the cost of a token on native', () => {
  useBackend(NATIVE);
  checkLeaks();

  it.each(LANGUAGE_FAMILIES)('is no read of the device within a step of %s that can be recorded', (family) => {
    const model = tinyModel({ language: { ...tinyConfig().language, family } });
    const cache = new KvCache();
    step(model, cache, 3);
    cache.reserve(8);
    const [ids_B, position_1, keyCount_1] = [7, 1, 2].map((value) => tf.tensor1d([value], 'int32'));
    if (!ids_B || !position_1 || !keyCount_1) throw new RangeError('a tensor is missing');
    const reads = vi.spyOn(NativeBackend.prototype, 'readInts');
    const logits = model.decodeStep(ids_B, cache, { position_1, keyCount_1 });
    expect(reads).not.toHaveBeenCalled();
    reads.mockRestore();
    tf.dispose([ids_B, position_1, keyCount_1, logits]);
    cache.dispose();
    model.dispose();
  });

  it('is no memory and no copy while the capacity lasts', () => {
    const cache = new KvCache();
    push(cache, ...Array.from({ length: 65 }, () => 1));
    const { numDataBuffers } = tf.memory();
    const [first, fork] = [cache.capacity, cache.fork()];
    push(fork, 2);
    push(fork, 3);
    expect([first, fork.capacity, tf.memory().numDataBuffers]).toEqual([128, 128, numDataBuffers]);
    fork.dispose();
    // The place that the fork took is free again.
    push(cache, 4);
    expect(tf.memory().numDataBuffers).toBe(numDataBuffers);
    cache.dispose();
  });
});
