import type { Rng } from '../../base/rng.js';
import { type List, type OptionSet, visitShuffled } from './options.js';
import { type RankedText, StyleRanking } from './style-ranking.js';
import { BoundedMap } from './tables/bounded-map.js';
import type { PoolTables } from './tables/corpus-tables.js';
import { rowOf } from './tables/number-list.js';
import type { TagIndex } from './tag-index.js';
import { makeTerm, type Term } from './text.js';
import type { WordIndex } from './word-index.js';

/** Random texts tried at each text length when the ranked ones do not suffice. */
const TRIES_PER_LENGTH = 32;
/** Prepared texts, and texts whose closest ones are known, that are kept. */
const KEPT_TEXTS = 8192;
const KEPT_RANKINGS = 4096;

/** A distinct text of the corpus; its string is read only when it is looked at. */
export class PooledText implements Term {
  private prepared: Term | undefined;

  /** @param mentions numbers of the corpus' tags that it spells */
  constructor(
    readonly mentions: readonly number[],
    private readonly read: () => string,
  ) {}

  get text(): string {
    return this.term.text;
  }

  get words(): readonly string[] {
    return this.term.words;
  }

  get squashed(): string {
    return this.term.squashed;
  }

  private get term(): Term {
    this.prepared ??= makeTerm(this.read());
    return this.prepared;
  }
}

/** The texts of one field (titles, descriptions, top comments), to be drawn as hard wrong options: alike in style, different in content. */
export class TextPool {
  private readonly ranking: StyleRanking;
  private readonly rankings = new BoundedMap<string, readonly Int32Array[]>(KEPT_RANKINGS);
  private readonly lengths = new BoundedMap<number, readonly number[]>(KEPT_RANKINGS);
  private readonly texts = new BoundedMap<number, PooledText>(KEPT_TEXTS);

  /** @param textOf the text of a record's field */
  constructor(
    private readonly tables: PoolTables,
    private readonly textOf: (record: number) => string,
    /** Number of a group; -1 for one that the corpus has not. */
    private readonly groupNumber: (group: string) => number,
    private readonly words: WordIndex,
    private readonly tags: TagIndex,
  ) {
    this.ranking = new StyleRanking(tables, words.size);
  }

  /**
   * Fills `options` with texts of other groups, closest in style first, ties at random. Never takes a text that
   * `isTrue` of the asked video. Takes one tag's text once, and texts of the own group, only when nothing else is left.
   *
   * @param ownTags numbers of tags, texts with one of which are true
   */
  fill(
    options: OptionSet<PooledText>,
    group: string,
    ownTags: ReadonlySet<number>,
    isTrue: (text: PooledText) => boolean,
    rng: Rng,
  ): void {
    const own = this.groupNumber(group);
    const foreign = (id: number) => own < 0 || this.tables.groups[id] !== own;
    const fresh = (text: PooledText) =>
      !text.mentions.some((tag) => options.chosen.some(({ mentions }) => mentions.includes(tag)));
    const offer = (id: number, isFresh: boolean) => {
      // Where many texts name a common tag, most are out by a look at their words.
      if (this.namesOne(id, ownTags)) return;
      const text = this.text(id);
      if (!(isFresh && !fresh(text)) && !isTrue(text)) options.offer(text);
    };
    this.visitAll(options, rng, (id) => foreign(id) && offer(id, true));
    if (!options.full) this.visitAll(options, rng, (id) => foreign(id) && offer(id, false));
    if (!options.full) this.visitAll(options, rng, (id) => offer(id, false));
  }

  /** Visits texts from the closest on until the options are full. */
  private visitAll(options: OptionSet<PooledText>, rng: Rng, look: (id: number) => unknown): void {
    const visit = (id: number) => {
      look(id);
      return options.full;
    };
    for (const tier of this.ranked(options.right)) {
      visitShuffled(tier, rng, visit);
      if (options.full) return;
    }
    const { length } = options.right.words;
    for (const count of this.lengths.take(length, () => this.ranking.nearestLengths(length))) {
      const texts = this.ranking.ofLength(count);
      if (texts.length <= TRIES_PER_LENGTH) visitShuffled<number>(texts, rng, visit);
      else for (let i = 0; i < TRIES_PER_LENGTH && !options.full; i++) visit(texts[rng.int(texts.length)] ?? 0);
      if (options.full) return;
    }
  }

  /** Whether a word of the text alone is one of these tags. */
  private namesOne(id: number, tags: ReadonlySet<number>): boolean {
    const { starts, values } = this.tables.words;
    for (let i = starts[id] ?? 0; i < (starts[id + 1] ?? 0); i++) {
      const tag = this.words.tagOf(values[i] ?? -1);
      if (tag >= 0 && tags.has(tag)) return true;
    }
    return false;
  }

  private ranked(right: Term): readonly List<number>[] {
    return this.rankings.take(right.words.join(' '), () => this.ranking.rank(this.rankedText(right)));
  }

  private rankedText({ words }: Term): RankedText {
    const numbers = words.map((word) => this.words.find(word));
    const substitutes = numbers.map((number, place) => {
      const tag = number < 0 ? this.tags.ofWord(words[place] ?? '') : this.words.tagOf(number);
      return tag < 0 ? undefined : this.words.ofTags(this.tags.substitutes(tag).distinct);
    });
    return { words: Int32Array.from(numbers), substitutes };
  }

  private text(id: number): PooledText {
    return this.texts.take(id, () => {
      const mentions = this.tags.mentionedIn(rowOf(this.tables.words, id), this.words);
      return new PooledText(mentions, () => this.textOf(this.tables.records[id] ?? -1));
    });
  }
}
