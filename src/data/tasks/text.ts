/** How two texts are compared when options are chosen: by words, blind to case, punctuation and emoji. */

/** Scripts written without spaces: every character counts as a word. */
const UNSPACED =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}';
const WORD = new RegExp(`[${UNSPACED}]|(?:(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}])+`, 'gu');
/** Shorter texts a single edit apart are different words ("night", "light"), longer ones the same with a typo. */
const MIN_TYPO_LENGTH = 8;
const INDEX_NAMED = /^\s*[([]?[A-Da-d1-4][)\].:](?:\s|$)|\b(?:option|choice|answer)\s+[A-Da-d1-4]\b/i;

/** A text prepared for comparison. */
export interface Term {
  /** On one line. */
  readonly text: string;
  /** Never empty: a text without letters and digits is one word. */
  readonly words: readonly string[];
  /** Words run together, repeated letters collapsed ("sooo" = "so"). */
  readonly squashed: string;
}

/** Any white space as one space, and none at the ends. */
export const onOneLine = (text: string) => text.replace(/\s+/g, ' ').trim();

export function makeTerm(text: string): Term {
  const oneLine = onOneLine(text);
  const words = oneLine.normalize('NFKC').toLowerCase().match(WORD) ?? [oneLine];
  return { text: oneLine, words, squashed: squash(words.join('')) };
}

/** Collapses letters repeated for emphasis. */
export function squash(joinedWords: string): string {
  return hasRun(joinedWords) ? joinedWords.replace(/(.)\1{2,}/gu, '$1') : joinedWords;
}

/** Whether a letter may repeat: most texts have no three equal units, two apart where they are pairs, in a row. */
function hasRun(text: string): boolean {
  for (let i = 2; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === text.charCodeAt(i - 2) && (unit === text.charCodeAt(i - 1) || unit >= 0xd800)) return true;
  }
  return false;
}

/** Whether the words of `needle` stand side by side in `hay`. */
export function containsTerm(hay: Term, needle: Term): boolean {
  const last = hay.words.length - needle.words.length;
  for (let start = 0; start <= last; start++) {
    if (needle.words.every((word, i) => hay.words[start + i] === word)) return true;
  }
  return false;
}

/** Whether a reader would take the two for the same text. */
export function nearEqual(a: Term, b: Term): boolean {
  if (a.squashed === b.squashed) return true;
  const shorter = Math.min(a.squashed.length, b.squashed.length);
  return shorter >= MIN_TYPO_LENGTH && withinOneEdit(a.squashed, b.squashed);
}

/** Whether the text gives itself an option letter or number ("B) ...", "option 2"), or is nothing but one. */
export function namesIndex({ text, squashed }: Term): boolean {
  return INDEX_NAMED.test(text) || /^[a-d1-4]$/.test(squashed);
}

function withinOneEdit(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  const shorter = Math.min(a.length, b.length);
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return Math.max(a.length, b.length) - start - end <= 1;
}
