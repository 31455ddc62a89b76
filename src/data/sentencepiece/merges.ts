import { PIECE_TYPE, type Piece } from './pieces.js';

export interface Merges {
  /** "left right", first to merge first. */
  readonly merges: string[];
  /** Sizes of the runs of merges whose results have the same score. */
  readonly groups: number[];
}

/**
 * The table of merges that stands for the scores: each way to join two pieces into a NORMAL one, best score first.
 *
 * SentencePiece merges the pair with the best score, the leftmost among equals; a table alone ranks equals by its own
 * order, so the runs of equals are kept beside it.
 *
 * @source huggingface/transformers, convert_slow_tokenizer.py: generate_merges (order among equals: longer left half,
 *   longer right half, id of the merged piece)
 */
export function mergesOf(pieces: readonly Piece[]): Merges {
  const known = new Set(pieces.map(({ text }) => text));
  const merged = pieces.filter(({ text, type }) => type === PIECE_TYPE.normal && text.length > 1);
  // Sorting the pieces first leaves only runs of equals to sort by their halves; both sorts keep the order of equals.
  merged.sort((a, b) => b.score - a.score);
  const merges: string[] = [];
  const groups: number[] = [];
  for (let first = 0; first < merged.length; ) {
    const run: Split[] = [];
    const score = merged[first]?.score;
    for (; merged[first]?.score === score && first < merged.length; first++) {
      addSplits(merged[first]?.text ?? '', known, run);
    }
    if (run.length === 0) continue;
    run.sort((a, b) => b.leftLength - a.leftLength || b.rightLength - a.rightLength);
    for (const { merge } of run) merges.push(merge);
    groups.push(run.length);
  }
  return { merges, groups };
}

interface Split {
  readonly merge: string;
  /** In characters (code points). */
  readonly leftLength: number;
  readonly rightLength: number;
}

function addSplits(text: string, known: ReadonlySet<string>, splits: Split[]): void {
  const total = countCharacters(text);
  let cut = 0;
  for (let leftLength = 1; leftLength < total; leftLength++) {
    cut += isPair(text, cut) ? 2 : 1;
    const left = text.slice(0, cut);
    if (!known.has(left)) continue;
    const right = text.slice(cut);
    if (known.has(right)) splits.push({ merge: `${left} ${right}`, leftLength, rightLength: total - leftLength });
  }
}

function countCharacters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) if (isPair(text, at)) count--;
  return count;
}

/** Whether one character takes the two code units from `at` on. */
function isPair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800;
}
