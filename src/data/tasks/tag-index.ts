import type { Rng } from '../../base/rng.js';
import type { List } from './options.js';
import { BoundedMap } from './tables/bounded-map.js';
import { type CorpusTables, withoutHash } from './tables/corpus-tables.js';
import { type NumberRows, placesByNumber, rowOf } from './tables/number-list.js';
import { squashUnits } from './tables/squash-units.js';
import { EMPTY_HASH, hashMore, StringTable } from './tables/string-table.js';
import { type Substitutes, TagSubstitutes } from './tag-substitutes.js';
import { makeTerm, squash, type Term } from './text.js';
import type { WordIndex } from './word-index.js';

/** Videos tried when looking for one that carries a tag but shares none with the asked video. */
const DISJOINT_TRIES = 16;
/** Longest run of words looked up as one tag ("#newyorkcity"). */
const MAX_TAG_WORDS = 4;
/** Prepared tags kept. */
const KEPT_TAGS = 16_384;

export interface Tag extends Term {
  readonly id: number;
}

/** Which videos carry which tags. Tags are compared without case, punctuation and spaces. */
export class TagIndex {
  /** Each tag once, by first appearance. */
  readonly distinct: List<Tag>;
  /** Every tag of every video: a uniform draw is a draw by frequency. */
  readonly occurrences: List<Tag>;
  private readonly bySquashed: StringTable;
  private readonly videosOfTag: NumberRows;
  private readonly kept = new BoundedMap<number, Tag>(KEPT_TAGS);
  private readonly substitution: TagSubstitutes;
  /** Units of a text's words, where each ends, and where the last run of three equal units up to there begins. */
  private readonly units = new Uint16Array(4096);
  private readonly ends = new Int32Array(1024);
  private readonly lastRuns = new Int32Array(1024);
  private readonly squashed = new Uint16Array(4096);

  constructor(private readonly tables: Pick<CorpusTables, 'tags' | 'tagTexts' | 'tagsOfRecord'>) {
    const { tags, tagsOfRecord } = tables;
    const count = tags.starts.length - 1;
    this.bySquashed = new StringTable(tags);
    this.distinct = { length: count, at: (id) => this.tag(id) };
    this.occurrences = { length: tagsOfRecord.values.length, at: (i) => this.tag(tagsOfRecord.values[i] ?? -1) };
    this.videosOfTag = videosOfTags(tagsOfRecord, count);
    this.substitution = new TagSubstitutes(tagsOfRecord, this.videosOfTag);
  }

  /** The corpus' tag of this text, if any. */
  find(text: string): Tag | undefined {
    const id = this.bySquashed.find(makeTerm(withoutHash(text)).squashed);
    return id < 0 ? undefined : this.tag(id);
  }

  /** The number of the tag that a single word is, -1 for none. */
  ofWord(word: string): number {
    return this.bySquashed.find(squash(word));
  }

  /**
   * Numbers of the corpus' tags that the words spell, alone or run together.
   *
   * @param words by their numbers, of which most need no string
   */
  mentionedIn(words: Int32Array, index: WordIndex): number[] {
    return this.mentionedInPlain(words, index) ?? this.mentionedInAny(Array.from(words, (word) => index.text(word)));
  }

  /** Undefined where letters are not a unit each, and for texts of thousands of letters. */
  private mentionedInPlain(words: Int32Array, index: WordIndex): number[] | undefined {
    const { units, ends, lastRuns, bySquashed } = this;
    if (words.length > ends.length) return undefined;
    let length = 0;
    let lastRun = -1;
    for (let i = 0, at = 0; i < words.length; i++) {
      length = index.copy(words[i] ?? -1, units, at);
      if (length < 0) return undefined;
      for (; at < length; at++) {
        const unit = units[at] ?? 0;
        if (unit >= 0xd800 && unit <= 0xdfff) return undefined;
        if (at >= 2 && unit === units[at - 1] && unit === units[at - 2]) lastRun = at - 2;
      }
      ends[i] = length;
      lastRuns[i] = lastRun;
    }
    const found: number[] = [];
    for (let first = 0, start = 0; first < words.length; first++) {
      let hash = EMPTY_HASH;
      for (let last = first, from = start; last < Math.min(words.length, first + MAX_TAG_WORDS); last++) {
        const end = ends[last] ?? 0;
        hash = hashMore(hash, units, from, end);
        from = end;
        let tag = -1;
        if (last === first) tag = index.tagOf(words[first] ?? -1);
        else if ((lastRuns[last] ?? -1) < start) tag = bySquashed.findUnits(units, start, end, hash);
        else tag = bySquashed.findUnits(this.squashed, 0, squashUnits(units, start, end, this.squashed));
        if (tag >= 0 && !found.includes(tag)) found.push(tag);
      }
      start = ends[first] ?? 0;
    }
    return found;
  }

  private mentionedInAny(words: readonly string[]): number[] {
    const found: number[] = [];
    for (let start = 0; start < words.length; start++) {
      let joined = '';
      for (let end = start; end < Math.min(words.length, start + MAX_TAG_WORDS); end++) {
        joined += words[end];
        const tag = this.bySquashed.find(squash(joined));
        if (tag >= 0 && !found.includes(tag)) found.push(tag);
      }
    }
    return found;
  }

  /** What other videos have in place of the tag of this number. */
  substitutes(tag: number): Substitutes {
    return this.substitution.of(tag);
  }

  /** The tags of these numbers. */
  listed(ids: Int32Array): List<Tag> {
    return { length: ids.length, at: (i) => this.tag(ids[i] ?? -1) };
  }

  /** Whether some video carries `tag` and none of `own`; looks at a few from a random one on. */
  onDisjointVideo(tag: number, own: ReadonlySet<number>, rng: Rng): boolean {
    const videos = rowOf(this.videosOfTag, tag);
    const start = rng.int(videos.length);
    for (let i = 0; i < Math.min(videos.length, DISJOINT_TRIES); i++) {
      const tags = rowOf(this.tables.tagsOfRecord, videos[(start + i) % videos.length] ?? -1);
      if (!tags.some((other) => own.has(other))) return true;
    }
    return false;
  }

  private tag(id: number): Tag {
    return this.kept.take(id, () => {
      const { units, starts } = this.tables.tagTexts;
      let text = '';
      for (let i = starts[id] ?? 0; i < (starts[id + 1] ?? 0); i++) text += String.fromCharCode(units[i] ?? 0);
      return { ...makeTerm(text), id };
    });
  }
}

function videosOfTags(tagsOfRecord: NumberRows, count: number): NumberRows {
  const { starts, values } = placesByNumber(tagsOfRecord.values, count);
  // From places among all occurrences to the records that these are of.
  const recordOf = new Int32Array(tagsOfRecord.values.length);
  for (let record = 0; record + 1 < tagsOfRecord.starts.length; record++) {
    recordOf.fill(record, tagsOfRecord.starts[record], tagsOfRecord.starts[record + 1]);
  }
  for (let i = 0; i < values.length; i++) values[i] = recordOf[values[i] ?? 0] ?? 0;
  return { starts, values };
}
