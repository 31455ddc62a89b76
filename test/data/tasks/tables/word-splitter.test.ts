import fc from 'fast-check';
import { expect, it } from 'vitest';
import { webRecord } from '../../../../bench/web-records.js';
import { WordSplitter } from '../../../../src/data/tasks/tables/word-splitter.js';
import { makeTerm } from '../../../../src/data/tasks/text.js';

const splitter = new WordSplitter();

function split(text: string): { words: string[]; squashed: string } {
  splitter.split(text);
  const words: string[] = [];
  let start = 0;
  for (let i = 0; i < splitter.count; i++) {
    const end = splitter.ends[i] ?? 0;
    words.push(String.fromCharCode(...splitter.units.subarray(start, end)));
    start = end;
  }
  return { words, squashed: String.fromCharCode(...splitter.units.subarray(0, splitter.squash())) };
}
function expectAsMadeTerm(text: string): void {
  const { words, squashed } = makeTerm(text);
  expect(split(text), JSON.stringify(text)).toEqual({ words, squashed });
}

it('splits any text into the words of makeTerm', () => {
  // Units near the borders of what counts as plain, marks that join the letter before them, and pairs.
  const piece = fc.oneof(
    fc.constantFrom(...'aAzZ09_ -.!ßÉé×ÀŁłѐйЙџѠかゖ゙ァヺ・ー一鿿〇가\u0301\u0306\u200d\ufe0f…ﬁＡ²½İΣς\u2028\u0085'),
    fc.constantFrom('😂', '🇫🇷', '🄰', '🅰', '👍🏽', '🦊', '🯱', '𝐀', '𠀀', '\ud83d', '\udc00', 'sooo', '😭😭😭'),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => expectAsMadeTerm(pieces.join(''))),
    { numRuns: 5000, seed: 1 },
  );
});

it('knows every unit of the basic plane beside a letter and by itself', () => {
  for (let unit = 0; unit < 0x10000; unit++) {
    const text = String.fromCharCode(unit);
    expectAsMadeTerm(`Q${text}b ${text}${text}${text}`);
  }
});

it('knows every pictogram', () => {
  for (let point = 0x1f000; point < 0x1fc00; point++) expectAsMadeTerm(`a${String.fromCodePoint(point)}b`);
});

it('splits the texts of records', () => {
  for (let i = 0; i < 200; i++) {
    const { title, description, tags, comments } = webRecord(1, i);
    for (const text of [title, description, ...tags, ...comments.map((comment) => comment.text)]) {
      expectAsMadeTerm(text ?? '');
    }
  }
});
