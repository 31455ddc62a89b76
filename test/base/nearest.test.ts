import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/base/nearest.js';

describe('nearest', () => {
  it('finds the word behind a slip of the finger', () => {
    expect(nearest('learningrate', ['learningRate', 'warmupRatio'])).toBe('learningRate');
    expect(nearest('trian', ['eval', 'train', 'serve'])).toBe('train');
    expect(nearest('epoch', ['epochs', 'maxSteps'])).toBe('epochs');
  });

  it('prefers the closest, then the first', () => {
    expect(nearest('batc', ['batches', 'batch'])).toBe('batch');
    expect(nearest('ax', ['aa', 'ab'])).toBe('aa');
  });

  it('suggests nothing when every candidate is another word', () => {
    expect(nearest('frobnicate', ['lr', 'epochs'])).toBeUndefined();
    expect(nearest('x', ['n', 'k'])).toBeUndefined();
    expect(nearest('anything', [])).toBeUndefined();
  });

  it('always finds a word that is among the candidates', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }), fc.nat(), (words, pick) => {
        const word = words[pick % words.length] ?? '';
        expect(nearest(word, words)).toBe(word);
      }),
    );
  });
});
