import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SymbolMerger } from '../../../src/data/bpe/merge-symbols.js';
import { MergeTable } from '../../../src/data/bpe/merge-table.js';
import { mergesOf } from '../../../src/data/sentencepiece/merges.js';
import { readSentencePiece } from '../../../src/data/sentencepiece/model.js';
import { PIECE_TYPE, type Piece } from '../../../src/data/sentencepiece/pieces.js';

/** The definition: scan for the pair whose joined text is a NORMAL piece of the best score, the leftmost; join; repeat. */
function joinByScore(text: string, pieces: readonly Piece[]): string[] {
  const scores = new Map(
    pieces.flatMap(({ text, score, type }) => (type === PIECE_TYPE.normal ? [[text, score]] : [])),
  );
  const symbols = Array.from(text);
  for (;;) {
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let at = 0; at + 1 < symbols.length; at++) {
      const score = scores.get(`${symbols[at]}${symbols[at + 1]}`);
      if (score !== undefined && score > bestScore) [best, bestScore] = [at, score];
    }
    if (best === -1) return symbols;
    symbols.splice(best, 2, `${symbols[best]}${symbols[best + 1]}`);
  }
}

function mergerOf(pieces: readonly Piece[]): SymbolMerger {
  const { merges, groups } = mergesOf(pieces);
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  return new SymbolMerger(ids, MergeTable.of(ids, merges, groups));
}

/** Pieces of two or three letters with scores that many share: what a table of ranks alone gets wrong. */
const tiedPieces = fc
  .uniqueArray(fc.tuple(fc.string({ unit: fc.constantFrom('a', 'b', '🐱'), minLength: 2, maxLength: 6 }), fc.nat(3)), {
    selector: ([text]) => text,
    maxLength: 25,
  })
  .map((merged) => [
    ...['a', 'b', '🐱'].map((text) => ({ text, score: -9, type: PIECE_TYPE.normal })),
    ...merged
      .filter(([text]) => Array.from(text).length > 1)
      .map(([text, score]) => ({ text, score: -score, type: PIECE_TYPE.normal })),
  ]);
const text = fc.string({ unit: fc.constantFrom('a', 'b', '🐱', 'z'), maxLength: 30 });

describe('SymbolMerger', () => {
  it('joins as the definition does, equal scores from left to right', () => {
    fc.assert(
      fc.property(tiedPieces, text, (pieces, input) => {
        expect(mergerOf(pieces).split(input)).toEqual(joinByScore(input, pieces));
      }),
      { numRuns: 500 },
    );
  });

  it('joins as the definition does with the pieces of a trained model', async () => {
    const bytes = new Uint8Array(await readFile(new URL('../assets/sentencepiece.model', import.meta.url)));
    const { pieces } = readSentencePiece(bytes, 'sentencepiece.model');
    const merger = mergerOf(pieces);
    const known = pieces.filter(({ type }) => type === PIECE_TYPE.normal).map(({ text }) => text);
    const input = fc.array(fc.constantFrom(...known), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(input, (joined) => {
        expect(merger.split(joined)).toEqual(joinByScore(joined, pieces));
      }),
    );
  });

  it('takes texts of any length one after another', () => {
    const pieces = ['a', 'aa', 'aaaa'].map((text, rank) => ({ text, score: -rank, type: PIECE_TYPE.normal }));
    const merger = mergerOf(pieces);
    for (const length of [0, 1, 5, 300, 200_001, 3]) {
      const split = merger.split('a'.repeat(length));
      expect(split.join('')).toHaveLength(length);
      expect(split).toHaveLength(Math.floor(length / 4) + (length % 4 === 3 ? 2 : Math.min(length % 4, 1)));
    }
  });
});

describe('MergeTable', () => {
  const ids = new Map(['a', 'b', 'ab'].map((piece, id) => [piece, id]));

  it('finds a merge by its halves, and leaves out those that make no piece', () => {
    const table = MergeTable.of(ids, ['b a', 'a b', 'a x']);
    expect(table.find(0, 1)).toBe(1);
    expect(table.result[1]).toBe(2);
    expect(table.find(1, 0)).toBe(-1);
    expect(table.find(0, 7)).toBe(-1);
  });

  it('refuses groups that do not add up', () => {
    expect(() => MergeTable.of(ids, ['a b'], [2])).toThrow('got groups of 2 merges in all, expected 1');
  });
});
