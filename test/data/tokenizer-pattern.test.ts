import { describe, expect, it } from 'vitest';
import { adaptPreTokenizer, toJavaScriptPattern } from '../../src/data/tokenizer-pattern.js';

const split = (behavior: string, Regex: string, invert = false) => ({
  type: 'Split',
  pattern: { Regex },
  behavior,
  invert,
});

describe('toJavaScriptPattern', () => {
  it('means White_Space by \\s, as Oniguruma does: U+0085 is, U+FEFF is not', () => {
    const space = new RegExp(`^${toJavaScriptPattern('\\s')}$`, 'u');
    const other = new RegExp(`^${toJavaScriptPattern('[^\\S]')}$`, 'u');
    for (const [character, is] of [
      [' ', true],
      ['\u0085', true],
      ['\u3000', true],
      ['\uFEFF', false],
      ['s', false],
    ] as const) {
      expect([character, space.test(character), other.test(character)]).toEqual([character, is, is]);
    }
  });

  it('leaves a backslash before s alone', () => {
    expect(toJavaScriptPattern('\\\\s\\\\S')).toBe('\\\\s\\\\S');
  });

  it('spells contractions in both cases, with the long s', () => {
    const contraction = new RegExp(`^${toJavaScriptPattern("(?i:'s|'t|'re|'ve|'m|'ll|'d)")}$`, 'u');
    for (const text of ["'s", "'S", "'ſ", "'Re", "'LL", "'d"]) expect(contraction.test(text)).toBe(true);
    for (const text of ["'x", "'l", 's']) expect(contraction.test(text)).toBe(false);
  });
});

describe('adaptPreTokenizer', () => {
  it('rewrites patterns inside sequences', () => {
    const sequence = { type: 'Sequence', pretokenizers: [split('Isolated', '\\s+'), { type: 'ByteLevel' }] };
    expect(adaptPreTokenizer(sequence, 'x')).toMatchObject({
      pretokenizers: [{ pattern: { Regex: '\\p{White_Space}+' } }, { type: 'ByteLevel' }],
    });
    expect(adaptPreTokenizer(split('Removed', '\\s', true), 'x')).toMatchObject({ invert: true });
    expect(adaptPreTokenizer(null, 'x')).toBeNull();
  });

  it.each([
    [split('Removed', 'a'), 'got Split with behavior Removed'],
    [split('MergedWithNext', 'a'), 'expected Isolated'],
    [split('Isolated', '(?<!a'), 'expected a pattern that JavaScript reads too'],
  ])('refuses what would be split otherwise: %j', (value, message) => {
    expect(() => adaptPreTokenizer(value, 'x.json')).toThrow(message);
  });
});
