import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { attention, kvAppend, kvGrow } from '../../src/ops/index.js';
import { NATIVE } from '../backend/native.js';
import { CPU, FUSED, useBackend } from '../support/backends.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';

for (const backend of [CPU, FUSED, NATIVE]) {
  describe(`a cache on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    const draw = (label: string, shape: number[]) => toDevice(randomTensor(label, shape));

    it('grows, keeping its first tokens and zeros behind them', () => {
      tf.tidy(() => {
        const x = draw('x', [2, 3, 1, 2]);
        const grown = kvGrow(x, 2, 5);
        expect(toHost(tf.slice(grown, [0, 0, 0, 0], [2, 2, 1, 2]))).toEqual(
          toHost(tf.slice(x, [0, 0, 0, 0], [2, 2, 1, 2])),
        );
        expect(Array.from(tf.slice(grown, [0, 2, 0, 0], [2, 3, 1, 2]).dataSync())).toEqual(new Array(12).fill(0));
        expect(kvGrow(x, 0, 0).shape).toEqual([2, 0, 1, 2]);
      });
    });

    it.each([['a number'], ['a tensor']])('takes tokens at a position given as %s', (how) => {
      tf.tidy(() => {
        const [cache, x] = [draw('cache', [2, 6, 3, 2]), draw('x', [2, 2, 3, 2])];
        const [head, tail] = [tf.slice(cache, 0, [2, 3, 3, 2]), tf.slice(cache, [0, 5, 0, 0], [2, 1, 3, 2])];
        const want = toHost(tf.concat([head, x, tail], 1));
        const after = kvAppend(cache, x, how === 'a number' ? 3 : tf.tensor([3], [1], 'int32'));
        expect(toHost(after)).toEqual(want);
      });
    });

    it('is read up to the number of keys, whatever lies behind', () => {
      tf.tidy(() => {
        const [k, v, q] = [draw('k', [2, 7, 2, 4]), draw('v', [2, 7, 2, 4]), draw('q', [2, 2, 4, 4])];
        const first = (x: tf.Tensor) => tf.slice(x, 0, [2, 5, 2, 4]);
        const want = toHost(attention(q, first(k), first(v), { causal: true }));
        const keyCount_1 = tf.tensor([5], [1], 'int32');
        expect(toHost(attention(q, k, v, { causal: true, keys: 5 }))).toEqual(want);
        expect(toHost(attention(q, k, v, { causal: true, keyCount_1 }))).toEqual(want);
        const mask = tf.tensor([1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1], [2, 7], 'int32');
        const shortMask = tf.slice(mask, 0, [2, 5]);
        const masked = toHost(attention(q, first(k), first(v), { causal: true, keyMask_BS: shortMask }));
        expect(toHost(attention(q, k, v, { causal: true, keys: 5, keyMask_BS: mask }))).toEqual(masked);
      });
    });

    it('refuses tokens and counts that do not fit', () => {
      tf.tidy(() => {
        const [cache, x] = [tf.zeros([1, 4, 1, 2]), tf.zeros([1, 2, 1, 2])];
        expectShapeError(() => kvAppend(cache, x, 3), 'kvAppend: position is 3, expected 0 to 2, for 2 tokens of 4');
        expectShapeError(() => kvGrow(cache, 5, 8), 'kvGrow: length is 5, expected 0 to 4');
        expectShapeError(
          () => attention(x, cache, cache, { causal: true, keys: 5 }),
          'attention: keys is 5, expected 1 to the 4 positions of k_BSGD',
        );
      });
    });
  });
}

describe('keys of a cache on native', () => {
  useBackend(NATIVE);

  it('have no gradient', () => {
    tf.tidy(() => {
      const x = tf.ones([1, 2, 1, 2]);
      const run = () => tf.grad((q) => attention(q, x, x, { causal: true, keys: 1 }))(x);
      expect(run).toThrow('attention: got keys of a cache, which have no gradient');
    });
  });
});
