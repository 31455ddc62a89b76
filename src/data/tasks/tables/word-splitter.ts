import { makeTerm, type Term } from '../text.js';
import { squashUnits } from './squash-units.js';

/** What a UTF-16 unit is in a text that needs no Unicode tables; 0 for one that needs them. */
const BETWEEN = 1;
/** Part of a word, with the units beside it. */
const LETTER = 2;
/** A word by itself, of a script without spaces. */
const SINGLE = 3;

/**
 * Units whose class and lower case are known, and which no normalisation changes or joins with a neighbour of these
 * same ranges. A text with any other unit goes through `makeTerm`.
 */
const KINDS = new Uint8Array(0x10000);
const LOWER = Uint16Array.from({ length: 0x10000 }, (_, unit) => unit);

function mark(first: number, last: number, kind: number): void {
  KINDS.fill(kind, first, last + 1);
  if (kind !== LETTER) return;
  for (let unit = first; unit <= last; unit++) LOWER[unit] = String.fromCharCode(unit).toLowerCase().charCodeAt(0);
}

mark(0x00, 0x7f, BETWEEN);
for (const [first, last] of ['09', 'AZ', 'az', 'ÀÖ', 'Øö', 'øÿ', 'Ѐџ']) {
  mark((first ?? '').charCodeAt(0), (last ?? '').charCodeAt(0), LETTER);
}
for (const quote of '×÷«»¡¿–—‘’“”•…。、') mark(quote.charCodeAt(0), quote.charCodeAt(0), BETWEEN);
mark(0x3041, 0x3096, SINGLE);
mark(0x30a1, 0x30fa, SINGLE);
mark(0x4e00, 0x9fff, SINGLE);

/** Whether a surrogate pair is a pictogram: between words, and nothing else to any normalisation. */
function isPictogram(high: number, low: number): boolean {
  if (high === 0xd83d) return low >= 0xdc00 && low <= 0xdfff;
  if (high === 0xd83c) return low >= 0xdde6 && low <= 0xdfff && (low <= 0xddff || low >= 0xdf00);
  return high === 0xd83e && low >= 0xdd00 && low <= 0xdeff;
}

/**
 * The words of texts, as `makeTerm` gives them, without making a string of each: most texts are plain, and a corpus has
 * millions of words.
 */
export class WordSplitter {
  /** Units of the words of the last text, run together. */
  units = new Uint16Array(1024);
  /** Where each word ends in `units`. */
  ends = new Uint32Array(1024);
  count = 0;
  /** Of a text that is not plain. */
  private term: Term | undefined;

  /** Puts the words of `text` into `units` and `ends`. */
  split(text: string): void {
    this.term = undefined;
    this.reserve(text.length);
    if (this.splitPlain(text) && this.count > 0) return;
    const term = makeTerm(text);
    this.term = term;
    // Normalisation may make a text longer.
    this.reserve(term.words.reduce((sum, { length }) => sum + length, 0));
    this.count = 0;
    let end = 0;
    for (const word of term.words) {
      for (let i = 0; i < word.length; i++) this.units[end++] = word.charCodeAt(i);
      this.ends[this.count++] = end;
    }
  }

  /** Replaces `units` by those of the last text's `squashed`. @returns how many */
  squash(): number {
    const { units, term } = this;
    if (term !== undefined) {
      for (let i = 0; i < term.squashed.length; i++) units[i] = term.squashed.charCodeAt(i);
      return term.squashed.length;
    }
    return squashUnits(units, 0, this.ends[this.count - 1] ?? 0, units);
  }

  /** @returns false for a text that is not plain */
  private splitPlain(text: string): boolean {
    const { units, ends } = this;
    const { length } = text;
    let count = 0;
    let end = 0;
    let isInside = false;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      const kind = KINDS[unit];
      if (kind === LETTER) {
        units[end++] = LOWER[unit] ?? 0;
        isInside = true;
        continue;
      }
      if (isInside) {
        ends[count++] = end;
        isInside = false;
      }
      if (kind === BETWEEN) continue;
      if (kind === SINGLE) {
        units[end++] = unit;
        ends[count++] = end;
      } else if (i + 1 < length && isPictogram(unit, text.charCodeAt(i + 1))) i++;
      else return false;
    }
    if (isInside) ends[count++] = end;
    this.count = count;
    return true;
  }

  private reserve(length: number): void {
    if (length <= this.units.length) return;
    this.units = new Uint16Array(2 * length);
    this.ends = new Uint32Array(2 * length);
  }
}
