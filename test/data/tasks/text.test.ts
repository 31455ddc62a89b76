import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { containsTerm, makeTerm, namesIndex, nearEqual } from '../../../src/data/tasks/text.js';

const near = (a: string, b: string) => nearEqual(makeTerm(a), makeTerm(b));
const contains = (a: string, b: string) => containsTerm(makeTerm(a), makeTerm(b));

describe('nearEqual', () => {
  it.each([
    ['So cute!!', 'so  cute'],
    ['sooooo cute', 'sooo cute'],
    ['so cute 😂😂', 'So cute'],
    ['such a cute kitten', 'such a cute kittens'],
    ['#NewYork', 'new york'],
    ['太可爱了！', '太可爱了'],
  ])('takes %j and %j for the same text', (a, b) => {
    expect(near(a, b)).toBe(true);
    expect(near(b, a)).toBe(true);
  });

  it.each([
    ['finally so red', 'finally so blue'],
    ['night', 'light'],
    ['going clockwise', 'going anticlockwise'],
    ['day one', 'day two'],
    ['😂', '😭'],
  ])('keeps %j and %j apart', (a, b) => {
    expect(near(a, b)).toBe(false);
  });

  it('holds for every text and itself in another case, spacing and punctuation', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(words, (parts) => near(parts.join(' '), ` ${parts.join('  ').toUpperCase()}!`)));
  });
});

describe('containsTerm', () => {
  it('compares whole words, not letters', () => {
    expect(contains('finally so red today', 'so red')).toBe(true);
    expect(contains('going anticlockwise', 'clockwise')).toBe(false);
    expect(contains('so very red', 'so red')).toBe(false);
    expect(contains('red', 'so red')).toBe(false);
  });

  it('compares characters where a script has no spaces', () => {
    expect(contains('今天的猫咪真可爱', '猫咪')).toBe(true);
    expect(contains('今天的狗真可爱', '猫咪')).toBe(false);
  });
});

describe('namesIndex', () => {
  it.each(['A. my trip', '(b) my trip', 'C) x', '2. second', 'see option D for more', 'B', '3'])(
    'finds one in %j',
    (text) => {
      expect(namesIndex(makeTerm(text))).toBe(true);
    },
  );

  it.each(['A day at the beach', 'vitamin C', 'Dogs. And cats.', '10 best tricks', '1.5 litres'])(
    'finds none in %j',
    (text) => {
      expect(namesIndex(makeTerm(text))).toBe(false);
    },
  );
});

it('makeTerm puts a text on one line and never yields no word', () => {
  expect(makeTerm(' two\n lines ').text).toBe('two lines');
  expect(makeTerm('🔥🔥').words).toEqual(['🔥🔥']);
});
