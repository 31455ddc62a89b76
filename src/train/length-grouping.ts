import { Rng } from '../base/rng.js';

export interface LengthGroupingOptions {
  readonly batchSize: number;
  /** Batches that are sorted together: 1 leaves the order random, more pad less. */
  readonly megabatch: number;
  readonly seed: number;
  readonly epoch: number;
}

/** Megabatches kept sorted: that of the step at hand, and of the next one, which is prefetched. */
const KEPT_MEGABATCHES = 2;

/**
 * One epoch's batches of samples of similar length: shuffle all, sort within megabatches, cut into batches, shuffle
 * the batches of each megabatch.
 *
 * Every index appears once; when `batchSize` does not divide their number, the last batch is smaller. The result depends
 * on the arguments alone, so a run resumes at any batch by its position. Only the megabatch that a batch belongs to asks
 * for lengths: any position of a large corpus is reached at once.
 *
 * @source group_by_length of Hugging Face's Trainer, with the batches of a megabatch shuffled
 */
export class LengthGroups {
  /** Batches of the epoch. */
  readonly size: number;
  private readonly order: Int32Array;
  /** Which batch of its sorted megabatch each batch is. */
  private readonly rank: Int32Array;
  private readonly sorted = new Map<number, Int32Array>();
  /** The batch that changes places with the first. */
  private lead = 0;

  /** @param lengthOf tokens of a sample, or a guess at them; asked once a sort */
  constructor(
    count: number,
    private readonly options: LengthGroupingOptions,
    private readonly lengthOf: (index: number) => number,
  ) {
    const { batchSize, megabatch, seed, epoch } = options;
    const rng = new Rng(seed, 'length-grouping').fork(epoch);
    this.order = rng.shuffle(Int32Array.from({ length: count }, (_, i) => i));
    this.size = Math.ceil(count / batchSize);
    this.rank = Int32Array.from({ length: this.size }, (_, i) => i % megabatch);
    // A smaller last batch stays last.
    const full = Math.floor(count / batchSize);
    for (let start = 0; start < full; start += megabatch) {
      rng.shuffle(this.rank.subarray(start, Math.min(start + megabatch, full)));
    }
  }

  /** @returns its samples, longest first */
  batch(index: number): Int32Array {
    const { batchSize, megabatch } = this.options;
    const place = index === 0 ? this.lead : index === this.lead ? 0 : index;
    const sorted = this.megabatch(Math.floor(place / megabatch));
    const start = (this.rank[place] ?? 0) * batchSize;
    return sorted.slice(start, start + batchSize);
  }

  /** Puts the batch of this sample first, so that a run that does not fit in memory fails at once. */
  leadWith(sample: number): void {
    const { batchSize, megabatch } = this.options;
    const home = Math.floor(this.order.indexOf(sample) / (batchSize * megabatch));
    const slot = Math.floor(this.megabatch(home).indexOf(sample) / batchSize);
    const first = home * megabatch;
    const place = first + this.rank.subarray(first, first + megabatch).indexOf(slot);
    // A smaller last batch stays last.
    if ((place + 1) * batchSize <= this.order.length) this.lead = place;
  }

  private megabatch(number: number): Int32Array {
    const held = this.sorted.get(number);
    if (held !== undefined) return held;
    const { batchSize, megabatch } = this.options;
    const span = batchSize * megabatch;
    const members = this.order.slice(number * span, (number + 1) * span);
    const lengths = new Map(Array.from(members, (index) => [index, this.lengthOf(index)]));
    // Stable: samples of one length keep their shuffled order.
    members.sort((a, b) => (lengths.get(b) ?? 0) - (lengths.get(a) ?? 0));
    for (const old of [...this.sorted.keys()].slice(0, 1 - KEPT_MEGABATCHES)) this.sorted.delete(old);
    this.sorted.set(number, members);
    return members;
  }
}

/**
 * All batches of an epoch from lengths that are known.
 *
 * @param lengths tokens of each sample
 * @returns batches of indices into `lengths`, that of the longest sample first
 */
export function groupByLength(lengths: Int32Array, options: LengthGroupingOptions): Int32Array[] {
  const lengthOf = (index: number) => lengths[index] ?? 0;
  const groups = new LengthGroups(lengths.length, options, lengthOf);
  const batches = Array.from({ length: groups.size }, (_, i) => groups.batch(i));
  moveLongestFirst(batches, options.batchSize, lengthOf);
  return batches;
}

/** Batches are sorted inside, so a batch's first sample is its longest. A smaller last batch stays last. */
function moveLongestFirst(batches: Int32Array[], batchSize: number, lengthOf: (index: number) => number): void {
  const longest = (batch: Int32Array | undefined) =>
    batch === undefined || batch.length < batchSize ? -1 : lengthOf(batch[0] ?? -1);
  let best = 0;
  for (let i = 1; i < batches.length; i++) if (longest(batches[i]) > longest(batches[best])) best = i;
  const [first, chosen] = [batches[0], batches[best]];
  if (first === undefined || chosen === undefined) return;
  batches[0] = chosen;
  batches[best] = first;
}
