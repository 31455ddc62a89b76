import type { Rng } from '../../base/rng.js';
import { type OptionSet, visitShuffled } from './options.js';
import type { Tag, TagIndex } from './tag-index.js';
import { makeTerm, type Term } from './text.js';

/** Texts kept as the closest in style to one text. */
const MAX_RANKED = 64;
/** Texts compared for each word of a text, spread over all that share the word; bounds the work on large corpora. */
const MAX_COMPARED = 512;
/** Random texts tried at each text length when the ranked ones do not suffice. */
const TRIES_PER_LENGTH = 32;
/** What a substitute tag in the same place is worth, in shared words: "at the beach" / "at the pool". */
const SUBSTITUTE_SCORE = 1.5;

/** A distinct text of the corpus and whose it is. */
export interface PooledText extends Term {
  /** Tags of the corpus that it spells. */
  readonly mentions: readonly Tag[];
  /** Topics (or categories) of the videos that have it. */
  readonly groups: Set<string>;
}

/**
 * The texts of one field (titles, descriptions, top comments), to be drawn as hard wrong options: alike in style,
 * different in content.
 *
 * Likeness is the number of equal words in equal places among texts of the same word count; a place where one names a
 * tag and the other a substitute of it counts too, since there the two say different things of the same kind.
 */
export class TextPool {
  private readonly byText = new Map<string, PooledText>();
  private readonly byLength = new Map<number, PooledText[]>();
  /** "length position word" -> texts. */
  private readonly byWord = new Map<string, PooledText[]>();
  private readonly rankedFor = new Map<string, readonly (readonly PooledText[])[]>();
  private readonly lengthsFrom = new Map<number, readonly number[]>();

  constructor(
    entries: Iterable<{ readonly text: string; readonly group: string }>,
    private readonly tags: TagIndex,
  ) {
    for (const { text, group } of entries) {
      const known = this.byText.get(text);
      if (known === undefined) this.add(text, group);
      else known.groups.add(group);
    }
  }

  private add(text: string, group: string): void {
    const term = makeTerm(text);
    const entry = { ...term, mentions: this.tags.mentionedIn(term.words), groups: new Set([group]) };
    this.byText.set(text, entry);
    const length = entry.words.length;
    pushTo(this.byLength, length, entry);
    for (const [place, word] of entry.words.entries()) pushTo(this.byWord, `${length} ${place} ${word}`, entry);
  }

  /** The prepared text; one that the pool does not hold is prepared afresh. */
  term(text: string): Term {
    return this.byText.get(text) ?? makeTerm(text);
  }

  /**
   * Fills `options` with texts of other groups, closest in style first, ties at random. Never takes a text that
   * `isTrue` of the asked video. Takes one tag's text once, and texts of the own group, only when nothing else is left.
   */
  fill(options: OptionSet<PooledText>, group: string, isTrue: (text: PooledText) => boolean, rng: Rng): void {
    const foreign = (text: PooledText) => text.groups.size > 1 || !text.groups.has(group);
    const fresh = (text: PooledText) =>
      !text.mentions.some((tag) => options.chosen.some(({ mentions }) => mentions.includes(tag)));
    this.take(options, (text) => foreign(text) && fresh(text) && !isTrue(text), rng);
    if (!options.full) this.take(options, (text) => foreign(text) && !isTrue(text), rng);
    if (!options.full) this.take(options, (text) => !isTrue(text), rng);
  }

  private take(options: OptionSet<PooledText>, allowed: (text: PooledText) => boolean, rng: Rng): void {
    const visit = (text: PooledText) => {
      if (allowed(text)) options.offer(text);
      return options.full;
    };
    for (const tier of this.ranked(options.right)) {
      visitShuffled(tier, rng, visit);
      if (options.full) return;
    }
    for (const length of this.nearestLengths(options.right.words.length)) {
      const texts = this.byLength.get(length) ?? [];
      if (texts.length <= TRIES_PER_LENGTH) visitShuffled(texts, rng, visit);
      else for (let i = 0; i < TRIES_PER_LENGTH && !options.full; i++) visit(rng.pick(texts));
      if (options.full) return;
    }
  }

  /** Texts that share at least one word in its place with `right`, grouped by likeness, most alike first. */
  private ranked(right: Term): readonly (readonly PooledText[])[] {
    const key = right.words.join(' ');
    let tiers = this.rankedFor.get(key);
    if (tiers === undefined) {
      tiers = this.rank(right);
      this.rankedFor.set(key, tiers);
    }
    return tiers;
  }

  private rank(right: Term): PooledText[][] {
    const candidates = new Set<PooledText>();
    for (const [place, word] of right.words.entries()) {
      const sharing = this.byWord.get(`${right.words.length} ${place} ${word}`) ?? [];
      const step = Math.max(1, sharing.length / MAX_COMPARED);
      for (let i = 0; i < sharing.length; i += step) candidates.add(sharing[Math.floor(i)] as PooledText);
    }
    const byScore = new Map<number, PooledText[]>();
    const rightTags = right.words.map((word) => this.tags.ofWord(word));
    for (const text of candidates) {
      const score = this.likeness(right.words, rightTags, text);
      if (score !== undefined) pushTo(byScore, score, text);
    }
    const tiers: PooledText[][] = [];
    let count = 0;
    for (const score of [...byScore.keys()].sort((a, b) => b - a)) {
      if (count >= MAX_RANKED) break;
      const tier = (byScore.get(score) ?? []).slice(0, MAX_RANKED - count);
      tiers.push(tier);
      count += tier.length;
    }
    return tiers;
  }

  /** Undefined for the same words. */
  private likeness(words: readonly string[], tags: readonly (Tag | undefined)[], text: Term): number | undefined {
    let score = 0;
    let differs = false;
    for (const [place, word] of words.entries()) {
      const other = text.words[place] ?? '';
      if (other === word) {
        score++;
        continue;
      }
      differs = true;
      const tag = tags[place];
      const otherTag = tag === undefined ? undefined : this.tags.ofWord(other);
      if (tag !== undefined && otherTag !== undefined && this.tags.isSubstitute(tag, otherTag)) {
        score += SUBSTITUTE_SCORE;
      }
    }
    return differs ? score : undefined;
  }

  private nearestLengths(length: number): readonly number[] {
    let lengths = this.lengthsFrom.get(length);
    if (lengths === undefined) {
      lengths = [...this.byLength.keys()].sort((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b);
      this.lengthsFrom.set(length, lengths);
    }
    return lengths;
  }
}

function pushTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
