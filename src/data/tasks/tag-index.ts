import { Rng } from '../../base/rng.js';
import type { VideoRecord } from '../record.js';
import { makeTerm, squash, type Term } from './text.js';

/** Draws behind a list of substitutes; keeps memory and first-use time bounded on large corpora. */
const SUBSTITUTE_DRAWS = 1024;
const SUBSTITUTES = 64;
/** Share of the third-best substitute's likeness that further ones need. */
const SUBSTITUTE_CUTOFF = 0.85;
/** Companions of rarer tags are gathered anew each time, which is quicker than they are large to keep. */
const MIN_REMEMBERED_VIDEOS = 32;
/** Videos tried when looking for one that carries a tag but shares none with the asked video. */
const DISJOINT_TRIES = 16;
/** Longest run of words looked up as one tag ("#newyorkcity"). */
const MAX_TAG_WORDS = 4;

export interface Tag extends Term {
  readonly id: number;
  /** Videos that carry the tag. */
  readonly videos: number[];
}

/** Which videos carry which tags. Tags are compared without case, punctuation and spaces. */
export class TagIndex {
  readonly tags: Tag[] = [];
  /** Every tag of every video: a uniform draw is a draw by frequency. */
  readonly occurrences: Tag[] = [];
  private readonly bySquashed = new Map<string, Tag>();
  private readonly tagsOfVideo: ReadonlySet<Tag>[] = [];
  private readonly companionsOf = new Map<Tag, ReadonlySet<Tag>>();
  private readonly substitutesOf = new Map<Tag, Substitutes>();

  constructor(records: readonly VideoRecord[]) {
    for (const [video, record] of records.entries()) {
      const own = new Set<Tag>();
      for (const text of record.tags) {
        const tag = this.intern(text);
        if (tag === undefined || own.has(tag)) continue;
        own.add(tag);
        tag.videos.push(video);
        this.occurrences.push(tag);
      }
      this.tagsOfVideo.push(own);
    }
  }

  private intern(text: string): Tag | undefined {
    const term = makeTerm(text.replace(/^\s*#+/, ''));
    if (term.text === '') return undefined;
    const known = this.bySquashed.get(term.squashed);
    if (known !== undefined) return known;
    const tag: Tag = { ...term, id: this.tags.length, videos: [] };
    this.tags.push(tag);
    this.bySquashed.set(term.squashed, tag);
    return tag;
  }

  /** The corpus' tag of this text, if any. */
  find(text: string): Tag | undefined {
    return this.bySquashed.get(makeTerm(text.replace(/^\s*#+/, '')).squashed);
  }

  /** The tag that a single word is. */
  ofWord(word: string): Tag | undefined {
    return this.bySquashed.get(squash(word));
  }

  /** Tags of the corpus that the words spell, alone or run together. */
  mentionedIn(words: readonly string[]): Tag[] {
    const found = new Set<Tag>();
    for (let start = 0; start < words.length; start++) {
      let joined = '';
      for (let end = start; end < Math.min(words.length, start + MAX_TAG_WORDS); end++) {
        joined += words[end];
        const tag = this.bySquashed.get(squash(joined));
        if (tag !== undefined) found.add(tag);
      }
    }
    return [...found];
  }

  /** Other tags seen on one video together with `tag`. */
  private companions(tag: Tag): ReadonlySet<Tag> {
    const known = this.companionsOf.get(tag);
    if (known !== undefined) return known;
    const companions = new Set<Tag>();
    for (const video of tag.videos) for (const other of this.tagsOfVideo[video] ?? []) companions.add(other);
    companions.delete(tag);
    if (tag.videos.length >= MIN_REMEMBERED_VIDEOS) this.companionsOf.set(tag, companions);
    return companions;
  }

  /**
   * What other videos have in place of `tag`: tags that never stand beside it but beside the same others, as "dog" for
   * "cat". Never meeting alone would also be true of two unrelated rare tags. Drawn by frequency; the same whenever
   * asked for.
   */
  substitutes(tag: Tag): Substitutes {
    let substitutes = this.substitutesOf.get(tag);
    if (substitutes === undefined) {
      const companions = this.companions(tag);
      const rng = new Rng(tag.id, 'tag-substitutes');
      const likeness = new Map<Tag, number>();
      const sampled: Tag[] = [];
      for (let draw = 0; draw < SUBSTITUTE_DRAWS && sampled.length < SUBSTITUTES; draw++) {
        const other = rng.pick(this.occurrences);
        if (other === tag || companions.has(other)) continue;
        sampled.push(other);
        if (!likeness.has(other)) likeness.set(other, overlap(companions, this.companions(other)));
      }
      const cutoff = SUBSTITUTE_CUTOFF * ([...likeness.values()].sort((a, b) => b - a)[2] ?? 0);
      const occurrences = sampled.filter((other) => (likeness.get(other) ?? 0) >= cutoff);
      substitutes = { occurrences, distinct: [...new Set(occurrences)] };
      this.substitutesOf.set(tag, substitutes);
    }
    return substitutes;
  }

  isSubstitute(tag: Tag, other: Tag): boolean {
    return this.substitutes(tag).distinct.includes(other);
  }

  /** Whether some video carries `tag` and none of `own`; looks at a few from a random one on. */
  onDisjointVideo(tag: Tag, own: ReadonlySet<Tag>, rng: Rng): boolean {
    const { videos } = tag;
    const start = rng.int(videos.length);
    for (let i = 0; i < Math.min(videos.length, DISJOINT_TRIES); i++) {
      const tags = this.tagsOfVideo[videos[(start + i) % videos.length] ?? -1];
      if (tags !== undefined && isDisjoint(own, tags)) return true;
    }
    return false;
  }
}

interface Substitutes {
  /** With repetitions: a uniform draw is a draw by frequency. */
  readonly occurrences: readonly Tag[];
  readonly distinct: readonly Tag[];
}

/** Jaccard index: size of the intersection over that of the union. */
function overlap(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): number {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  let shared = 0;
  for (const item of small) if (large.has(item)) shared++;
  return shared === 0 ? 0 : shared / (a.size + b.size - shared);
}

function isDisjoint(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): boolean {
  for (const item of a) if (b.has(item)) return false;
  return true;
}
