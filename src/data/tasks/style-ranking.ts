import type { PoolTables } from './tables/corpus-tables.js';
import { NumberList, type NumberRows, placesByNumber, rowOf } from './tables/number-list.js';
import { NumberTable } from './tables/number-table.js';

/** Texts kept as the closest in style to one text. */
const MAX_RANKED = 64;
/** Texts compared for each word of a text, spread over all that share the word; bounds the work on large corpora. */
const MAX_COMPARED = 512;
/** What an equal word, and a substitute tag in the same place ("at the beach" / "at the pool"), are worth. */
const EQUAL_SCORE = 2;
const SUBSTITUTE_SCORE = 3;
/** Places whose substitutes fit into the bits of a number. */
const PLACES_AT_ONCE = 31;

/** A text as the ranking sees it: a number for each word, and for each word the words that name a substitute of it. */
export interface RankedText {
  /** -1 for a word that no text of the corpus has. */
  readonly words: Int32Array;
  readonly substitutes: readonly (Int32Array | undefined)[];
}

/**
 * Finds the texts of a pool that are most alike to one. Likeness is the number of equal words in equal places among
 * texts of the same word count; a place where one names a tag and the other a substitute of it counts too, since there
 * the two say different things of the same kind.
 *
 * Only for a word count, and a place in its texts, that was asked for is there a table.
 */
export class StyleRanking {
  private readonly byLength: NumberRows;
  /** "length place" -> texts by the word that they have there. */
  private readonly sharing = new Map<string, Sharing | null>();
  /** When a text became a candidate last. */
  private readonly seen: Int32Array;
  private turn = 0;
  /** A bit for each place where a word names a substitute of the right one; zero between two calls. */
  private readonly marks: Int32Array;
  private readonly scratch: Int32Array;

  constructor(
    private readonly tables: PoolTables,
    numWords: number,
  ) {
    const { starts } = tables.words;
    const lengths = new Int32Array(starts.length - 1);
    for (let i = 0; i < lengths.length; i++) lengths[i] = (starts[i + 1] ?? 0) - (starts[i] ?? 0);
    this.byLength = placesByNumber(lengths, lengths.reduce((a, b) => Math.max(a, b), 0) + 1);
    this.seen = new Int32Array(lengths.length);
    this.marks = new Int32Array(numWords);
    this.scratch = new Int32Array(numWords);
  }

  /** Numbers of the texts of so many words. */
  ofLength(length: number): Int32Array {
    return length + 1 < this.byLength.starts.length ? rowOf(this.byLength, length) : new Int32Array(0);
  }

  /** The word counts that texts have, those nearest to `length` first. */
  nearestLengths(length: number): number[] {
    const lengths = [...this.byLength.starts.keys()].filter((count) => this.ofLength(count).length > 0);
    return lengths.sort((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b);
  }

  /** Texts that share at least one word in its place with `right`, grouped by likeness, most alike first. */
  rank(right: RankedText): Int32Array[] {
    const candidates = this.candidates(right.words);
    const scores = this.scores(right, candidates);
    const counts = new Int32Array(SUBSTITUTE_SCORE * right.words.length + 1);
    for (const score of scores) if (score >= 0) counts[score] = (counts[score] ?? 0) + 1;
    const tiers: Int32Array[] = [];
    const tierOf = new Map<number, Int32Array>();
    for (let score = counts.length - 1, left = MAX_RANKED; score >= 0 && left > 0; score--) {
      const size = Math.min(left, counts[score] ?? 0);
      if (size === 0) continue;
      const tier = new Int32Array(size);
      tiers.push(tier);
      tierOf.set(score, tier);
      left -= size;
    }
    const filled = new Int32Array(counts.length);
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i] ?? -1;
      const tier = tierOf.get(score);
      const at = filled[score] ?? 0;
      if (tier === undefined || at === tier.length) continue;
      tier[at] = candidates[i] ?? 0;
      filled[score] = at + 1;
    }
    return tiers;
  }

  private candidates(words: Int32Array): Int32Array {
    const { seen } = this;
    const turn = ++this.turn;
    const candidates = new Int32Array(words.length * MAX_COMPARED + words.length);
    let count = 0;
    for (let place = 0; place < words.length; place++) {
      const sharing = this.sharingWord(words.length, place, words[place] ?? -1);
      const step = Math.max(1, sharing.length / MAX_COMPARED);
      for (let i = 0; i < sharing.length; i += step) {
        const text = sharing[Math.floor(i)] ?? 0;
        if (seen[text] === turn) continue;
        seen[text] = turn;
        candidates[count++] = text;
      }
    }
    return candidates.subarray(0, count);
  }

  /** Likeness of each candidate; -1 for the same words. */
  private scores({ words, substitutes }: RankedText, candidates: Int32Array): Int32Array {
    const { marks } = this;
    const { starts, values } = this.tables.words;
    const scores = new Int32Array(candidates.length);
    const equal = new Int32Array(candidates.length);
    for (let first = 0; first < words.length; first += PLACES_AT_ONCE) {
      const end = Math.min(words.length, first + PLACES_AT_ONCE);
      for (let place = first; place < end; place++) {
        for (const word of substitutes[place] ?? []) marks[word] = (marks[word] ?? 0) | (1 << (place - first));
      }
      for (let i = 0; i < candidates.length; i++) {
        const start = starts[candidates[i] ?? 0] ?? 0;
        let same = 0;
        let score = 0;
        for (let place = first; place < end; place++) {
          const word = values[start + place] ?? 0;
          if (word === words[place]) same++;
          else score += SUBSTITUTE_SCORE * (((marks[word] ?? 0) >>> (place - first)) & 1);
        }
        equal[i] = (equal[i] ?? 0) + same;
        scores[i] = (scores[i] ?? 0) + score + EQUAL_SCORE * same;
      }
      for (let place = first; place < end; place++) for (const word of substitutes[place] ?? []) marks[word] = 0;
    }
    for (let i = 0; i < equal.length; i++) if (equal[i] === words.length) scores[i] = -1;
    return scores;
  }

  /** Texts of this length that have the word in this place, in the order of the corpus. */
  private sharingWord(length: number, place: number, word: number): Int32Array {
    const key = `${length} ${place}`;
    let sharing = this.sharing.get(key);
    if (sharing === undefined) {
      // The first question of a start need not wait for a table; who asks again does.
      this.sharing.set(key, null);
      return this.scan(this.ofLength(length), place, word);
    }
    if (sharing === null) {
      sharing = this.share(this.ofLength(length), place);
      this.sharing.set(key, sharing);
    }
    return rowOf(sharing, sharing.rowOfWord.find(word));
  }

  private scan(texts: Int32Array, place: number, word: number): Int32Array {
    const { starts, values } = this.tables.words;
    return texts.filter((text) => values[(starts[text] ?? 0) + place] === word);
  }

  private share(texts: Int32Array, place: number): Sharing {
    const { starts, values } = this.tables.words;
    const { scratch } = this;
    const rows = new Int32Array(texts.length);
    const words = new NumberList();
    for (let i = 0; i < texts.length; i++) {
      const word = values[(starts[texts[i] ?? 0] ?? 0) + place] ?? 0;
      let row = scratch[word] ?? 0;
      // The table may hold what an earlier call left.
      if (row >= words.length || words.at(row) !== word) {
        row = words.length;
        scratch[word] = row;
        words.push(word);
      }
      rows[i] = row;
    }
    const sharing = placesByNumber(rows, words.length);
    for (let i = 0; i < sharing.values.length; i++) sharing.values[i] = texts[sharing.values[i] ?? 0] ?? 0;
    return { ...sharing, rowOfWord: new NumberTable(words.toArray()) };
  }
}

/** A row of texts for each word. */
interface Sharing extends NumberRows {
  readonly rowOfWord: NumberTable;
}
