import { Rng } from '../../base/rng.js';
import { BoundedMap } from './tables/bounded-map.js';
import { type NumberRows, rowOf } from './tables/number-list.js';

/** Draws behind a list of substitutes; keeps memory and first-use time bounded on large corpora. */
const SUBSTITUTE_DRAWS = 1024;
const SUBSTITUTES = 64;
/** Share of the third-best substitute's likeness that further ones need. */
const SUBSTITUTE_CUTOFF = 0.85;
/** Companions of rarer tags are gathered anew each time, which is quicker than they are large to keep. */
const MIN_REMEMBERED_VIDEOS = 32;
/** More companions are looked up in a set of bits instead of being gone through. */
const MIN_BITS = 512;
/** Lists of substitutes kept, half a kilobyte each. */
const KEPT_LISTS = 32_768;
/** Numbers kept of companions of common tags: 64 MiB. */
const KEPT_COMPANIONS = 2 ** 24;

export interface Substitutes {
  /** With repetitions: a uniform draw is a draw by frequency. */
  readonly occurrences: Int32Array;
  readonly distinct: Int32Array;
}

interface Companions {
  readonly ids: Int32Array;
  /** Of a tag with many companions: a bit for each tag. */
  readonly bits: Int32Array | undefined;
}

/**
 * What other videos have in place of a tag: tags that never stand beside it but beside the same others, as "dog" for
 * "cat". Never meeting alone would also be true of two unrelated rare tags.
 */
export class TagSubstitutes {
  private readonly lists = new BoundedMap<number, Substitutes>(KEPT_LISTS);
  private readonly common = new BoundedMap<number, Companions>(
    KEPT_COMPANIONS,
    ({ ids, bits }) => ids.length + (bits?.length ?? 0),
  );
  /** When a tag was last gathered, and when it was last marked as a companion of the tag at hand. */
  private readonly gathered: Int32Array;
  private readonly marked: Int32Array;
  private turn = 0;

  constructor(
    private readonly tagsOfRecord: NumberRows,
    private readonly videosOfTag: NumberRows,
  ) {
    this.gathered = new Int32Array(videosOfTag.starts.length - 1);
    this.marked = new Int32Array(videosOfTag.starts.length - 1);
  }

  /** Drawn by frequency; the same whenever asked for. */
  of(tag: number): Substitutes {
    return this.lists.take(tag, () => this.draw(tag));
  }

  private draw(tag: number): Substitutes {
    const own = this.companions(tag);
    const turn = ++this.turn;
    for (const id of own.ids) this.marked[id] = turn;
    const rng = new Rng(tag, 'tag-substitutes');
    const { values } = this.tagsOfRecord;
    const likeness = new Map<number, number>();
    const sampled: number[] = [];
    for (let draw = 0; draw < SUBSTITUTE_DRAWS && sampled.length < SUBSTITUTES; draw++) {
      const other = values[rng.int(values.length)] ?? -1;
      if (other === tag || this.marked[other] === turn) continue;
      sampled.push(other);
      if (!likeness.has(other)) likeness.set(other, this.overlap(own, this.companions(other), turn));
    }
    const cutoff = SUBSTITUTE_CUTOFF * ([...likeness.values()].sort((a, b) => b - a)[2] ?? 0);
    const occurrences = sampled.filter((other) => (likeness.get(other) ?? 0) >= cutoff);
    return { occurrences: Int32Array.from(occurrences), distinct: Int32Array.from(new Set(occurrences)) };
  }

  /** Jaccard index: size of the intersection over that of the union. @param turn that marked `own` */
  private overlap(own: Companions, { ids, bits }: Companions, turn: number): number {
    let shared = 0;
    if (bits !== undefined && own.ids.length < ids.length) {
      for (const id of own.ids) shared += ((bits[id >> 5] ?? 0) >>> (id & 31)) & 1;
    } else for (const id of ids) if (this.marked[id] === turn) shared++;
    return shared === 0 ? 0 : shared / (own.ids.length + ids.length - shared);
  }

  /** Other tags seen on one video together with `tag`. */
  private companions(tag: number): Companions {
    const videos = rowOf(this.videosOfTag, tag);
    if (videos.length < MIN_REMEMBERED_VIDEOS) return this.gather(tag, videos);
    return this.common.take(tag, () => this.gather(tag, videos));
  }

  private gather(tag: number, videos: Int32Array): Companions {
    const { starts, values } = this.tagsOfRecord;
    const { gathered } = this;
    const turn = ++this.turn;
    gathered[tag] = turn;
    const ids: number[] = [];
    for (const video of videos) {
      for (let i = starts[video] ?? 0; i < (starts[video + 1] ?? 0); i++) {
        const other = values[i] ?? 0;
        if (gathered[other] === turn) continue;
        gathered[other] = turn;
        ids.push(other);
      }
    }
    if (ids.length < MIN_BITS) return { ids: new Int32Array(ids), bits: undefined };
    const bits = new Int32Array(Math.ceil(gathered.length / 32));
    for (const id of ids) bits[id >> 5] = (bits[id >> 5] ?? 0) | (1 << (id & 31));
    return { ids: new Int32Array(ids), bits };
  }
}
