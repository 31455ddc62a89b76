import { Rng } from '../base/rng.js';

export interface LengthGroupingOptions {
  readonly batchSize: number;
  /** Batches that are sorted together: 1 leaves the order random, more pad less. */
  readonly megabatch: number;
  readonly seed: number;
  readonly epoch: number;
}

/**
 * One epoch's batches of samples of similar length: shuffle all, sort within megabatches, cut into batches, shuffle
 * the batches of each megabatch.
 *
 * The batch of the longest sample comes first, so a run that does not fit in memory fails at once. Every index appears
 * once; when `batchSize` does not divide their number, the last batch is smaller. The result depends on the arguments
 * alone, so a run resumes at any batch by its position.
 *
 * @param lengths tokens of each sample
 * @returns batches of indices into `lengths`
 * @source group_by_length of Hugging Face's Trainer, with the batches of a megabatch shuffled
 */
export function groupByLength(lengths: Int32Array, options: LengthGroupingOptions): Int32Array[] {
  const { batchSize, megabatch, seed, epoch } = options;
  const rng = new Rng(seed, 'length-grouping').fork(epoch);
  const lengthOf = (index: number) => lengths[index] ?? 0;
  const order = rng.shuffle(Int32Array.from(lengths.keys()));
  const batches: Int32Array[] = [];
  for (let start = 0; start < order.length; start += batchSize * megabatch) {
    // Stable: samples of one length keep their shuffled order.
    const sorted = order.subarray(start, start + batchSize * megabatch).sort((a, b) => lengthOf(b) - lengthOf(a));
    const group: Int32Array[] = [];
    for (let i = 0; i < sorted.length; i += batchSize) group.push(sorted.slice(i, i + batchSize));
    const partial = (group.at(-1)?.length ?? batchSize) < batchSize ? group.splice(-1) : [];
    batches.push(...rng.shuffle(group), ...partial);
  }
  moveLongestFirst(batches, batchSize, lengthOf);
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
