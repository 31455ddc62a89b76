import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MimicError } from '../../../src/base/errors.js';
import { checkModelBytes, readSentencePiece } from '../../../src/data/sentencepiece/model.js';
import { PIECE_TYPE } from '../../../src/data/sentencepiece/pieces.js';
import { delimited, META, type ModelRules, model, normal, number, piece, varint } from './write-model.js';

const read = (bytes: Iterable<number>) => readSentencePiece(Uint8Array.from(bytes), 'x.model');
const good = model([...META, ...normal('a', 'b', 'ab', '\0')]);
const error = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });
const refuses = (bytes: Iterable<number>, code: string, message: string) =>
  expect(() => read(bytes)).toThrow(error(code, message));

describe('readSentencePiece', () => {
  it('reads pieces, scores and types, NUL among them, and skips what it does not know', () => {
    const unknownFields = [...number(9, 300), ...delimited(10, [1, 2]), ...varint(11 * 8 + 1), ...Array(8).fill(0)];
    const { pieces, unknownId, byteFallback } = read([...unknownFields, ...good, ...varint(12 * 8 + 5), 0, 0, 0, 0]);
    expect(pieces).toHaveLength(META.length + 4);
    expect(pieces.at(-2)).toEqual({ text: 'ab', score: -2, type: PIECE_TYPE.normal });
    expect(pieces.at(-1)?.text).toBe('\0');
    expect(unknownId).toBe(0);
    expect(byteFallback).toBe(true);
  });

  it('takes the type of a piece that gives none to be NORMAL, as the trainer leaves it out', () => {
    const bare = delimited(1, delimited(1, [0x61]));
    expect(read([...model(META), ...bare]).pieces.at(-1)).toEqual({ text: 'a', score: 0, type: PIECE_TYPE.normal });
  });

  it.each<[string, ModelRules, string, string]>([
    ['unigram', { modelType: 1 }, 'E_SENTENCEPIECE_TYPE', 'model_type: got unigram, expected bpe'],
    ['word', { modelType: 3 }, 'E_SENTENCEPIECE_TYPE', 'got word'],
    ['an unknown type', { modelType: 77 }, 'E_SENTENCEPIECE_TYPE', 'got 77'],
    ['a character map', { charsmap: new Uint8Array(5) }, 'E_SENTENCEPIECE_NORMALIZER', 'a character map of 5 bytes'],
    ['a dummy prefix', { dummyPrefix: true }, 'E_SENTENCEPIECE_NORMALIZER', 'add_dummy_prefix'],
    ['removed spaces', { extraWhitespaces: true }, 'E_SENTENCEPIECE_NORMALIZER', 'remove_extra_whitespaces'],
    ['plain spaces', { escapeWhitespaces: false }, 'E_SENTENCEPIECE_NORMALIZER', 'escape_whitespaces off'],
    ['suffixes', { whitespaceAsSuffix: true }, 'E_SENTENCEPIECE_NORMALIZER', 'treat_whitespace_as_suffix'],
    ['no fallback', { byteFallback: false }, 'E_SENTENCEPIECE_PIECES', '256 byte pieces with byte_fallback false'],
  ])('refuses %s by name', (_, rules, code, message) =>
    refuses(model([...META, ...normal('a')], rules), code, message),
  );

  it('refuses a model without a trainer or normalizer: the defaults are unigram and a dummy prefix', () => {
    refuses([...META, ...normal('a')].flatMap(piece), 'E_SENTENCEPIECE_TYPE', 'got unigram');
  });

  it.each<[string, Parameters<typeof model>[0], string]>([
    ['a piece twice', [...META, ...normal('a', 'a')], 'piece 260 "a" twice, also as 259'],
    ['an empty piece', [...META, ...normal('')], 'an empty piece 259'],
    ['a space', [...META, ...normal('a b')], 'with a space'],
    ['no unknown piece', META.slice(1), 'no unknown piece among 258'],
    [
      'two unknown pieces',
      [...META, { text: 'x', score: 0, type: PIECE_TYPE.unknown }],
      'two unknown pieces, 0 and 259',
    ],
    ['an unused piece', [...META, { text: 'x', score: 0, type: PIECE_TYPE.unused }], 'of type UNUSED'],
    ['type 9', [...META, { text: 'x', score: 0, type: 9 }], 'of type 9'],
    ['NaN', [...META, { text: 'x', score: Number.NaN, type: PIECE_TYPE.normal }], 'with score NaN'],
    ['a missing byte', META.slice(0, -1), '255 byte pieces'],
    ['a byte of another name', [...META.slice(0, -1), { text: 'x', score: 0, type: PIECE_TYPE.byte }], 'no <0xFF>'],
    ['a character that is no piece', [...META, ...normal('a', 'ab')], 'piece "ab" without a piece "b"'],
  ])('refuses %s', (_, pieces, message) => refuses(model(pieces), 'E_SENTENCEPIECE_PIECES', message));

  it('refuses text that is not UTF-8, or too long', () => {
    refuses(
      [...good, ...delimited(1, delimited(1, [0xff]))],
      'E_SENTENCEPIECE_PIECES',
      'piece 263: got bytes that are',
    );
    refuses([...good, ...delimited(1, delimited(1, Array(5000).fill(97)))], 'E_SENTENCEPIECE_PIECES', 'got 5000 bytes');
  });

  it.each<[string, number[], string]>([
    ['a length past the end', [...varint(8 + 2), ...varint(1000), 1], 'got 1 bytes left, expected 1000'],
    ['a huge length', [...varint(8 + 2), ...varint(2 ** 45), 1], 'got 1 bytes left'],
    ['a length that overflows', [...varint(8 + 2), ...varint(-1)], 'a negative or huge number'],
    ['a nested length past its message', [...delimited(1, [...varint(8 + 2), 9]), 1, 2, 3, 4], 'got 0 bytes left'],
    ['a number that never ends', [8 * 9, ...Array(11).fill(0x80)], 'a number of over 10 bytes'],
    ['a number that breaks off', [8 * 9, 0x80], 'got 0 bytes left'],
    ['a group', [9 * 8 + 3], 'wire type 3 in field 9'],
    ['field 0', [0], 'field number 0'],
    ['pieces as a number', number(1, 5), 'field 1 as varint, expected length-delimited'],
    ['a score as a number', delimited(1, number(2, 5)), 'field 2 as varint, expected fixed32'],
  ])('refuses %s', (_, bytes, message) => refuses([...good, ...bytes], 'E_SENTENCEPIECE_WIRE', message));

  it('refuses files that are empty or far too large', () => {
    refuses([], 'E_SENTENCEPIECE_SIZE', 'got 0 bytes');
    expect(() => checkModelBytes(2 ** 30, 'x.model')).toThrow(error('E_SENTENCEPIECE_SIZE', 'got 1073741824 bytes'));
  });

  it('answers damaged files with errors of its own, never another', async () => {
    const file = new Uint8Array(await readFile(new URL('../assets/sentencepiece.model', import.meta.url)));
    const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(file.length), (changes, length) => {
        const bytes = file.slice(0, length % 3 === 0 ? length : undefined);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          read(bytes);
        } catch (caught) {
          expect(caught).toBeInstanceOf(MimicError);
          expect(caught).toMatchObject({ code: expect.stringMatching(/^E_SENTENCEPIECE_/) });
        }
      }),
      { numRuns: 300 },
    );
  });
});
