import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { EpochPlan } from '../../src/train/epoch-plan.js';
import { groupByLength } from '../../src/train/length-grouping.js';

/** Samples of lengths that depend on the epoch, as drawn questions do; `drawn` counts the draws. */
function corpus(count: number) {
  const lengthOf = (epoch: number, index: number) => 20 + new Rng(index, 'length').fork(epoch).int(400);
  let drawn = 0;
  const data = {
    records: { length: count },
    draw: (epoch: number, index: number) => {
      drawn++;
      const ids = new Int32Array(lengthOf(epoch, index));
      return { tokens: { ids, labels: ids, numVisual: 0, answerTurn: ids } };
    },
    textLengths: Int32Array.from({ length: count }, (_, index) => 10 + ((index * 7919) % 5000)),
  };
  return { data, lengthOf, drawn: () => drawn };
}
const config = { seed: 1, train: { batchSize: 4, accumulate: 2, groupByLength: true } };
/** Samples sorted together: 8 steps of 2 micro-batches of 4. */
const MEGABATCH = 64;

describe('the plan of an epoch', () => {
  it('draws only samples near the step, at the start and at position 1,000,000 of 150,000 records', () => {
    // Measured with 150,000 synthetic records and real draws: 0.19 s to the first batch at step 0, 0.07 s at 1,000,000,
    // most of it the shuffle; drawing all of them took minutes.
    for (const [step, megabatches] of [
      [0, 2],
      [1_000_000, 1],
    ] as const) {
      const { data, drawn } = corpus(150_000);
      const plan = new EpochPlan(data, config);
      expect(plan.batchesOf(step).map(({ length }) => length)).toEqual([4, 4]);
      expect(drawn()).toBeLessThanOrEqual(megabatches * MEGABATCH);
    }
  });

  it('of a large corpus has every record once, and is the same from whatever step it is entered', () => {
    const { data, lengthOf } = corpus(2003);
    const straight = new EpochPlan(data, config);
    const steps = Array.from({ length: 2 * straight.stepsPerEpoch }, (_, step) => straight.batchesOf(step));
    for (const epoch of [0, 1]) {
      const own = steps.slice(epoch * straight.stepsPerEpoch, (epoch + 1) * straight.stepsPerEpoch).flat();
      const records = own.flatMap((batch) => [...batch]);
      expect(records.sort((a, b) => a - b)).toEqual(Array.from({ length: 2003 }, (_, i) => i));
      // A batch is sorted, and its lengths are close: within a megabatch of 64, batches of 4 are neighbours.
      for (const batch of own) {
        const lengths = Array.from(batch, (index) => lengthOf(epoch, index));
        expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
      }
    }
    const rng = new Rng(4);
    for (let i = 0; i < 40; i++) {
      const step = rng.int(steps.length);
      expect(new EpochPlan(data, config).batchesOf(step)).toEqual(steps[step]);
    }
    // The record with the most text comes first of all.
    const wordiest = Array.from({ length: 2003 }, (_, i) => i).reduce((a, b) =>
      (data.textLengths[b] ?? 0) > (data.textLengths[a] ?? 0) ? b : a,
    );
    expect(steps[0]?.[0]).toContain(wordiest);
  });

  it('of a small corpus is that of all its lengths', () => {
    const { data, lengthOf } = corpus(100);
    const plan = new EpochPlan(data, config);
    const lengths = Int32Array.from({ length: 100 }, (_, i) => lengthOf(1, i));
    const all = groupByLength(lengths, { batchSize: 4, megabatch: 16, seed: 1, epoch: 1 });
    const steps = Array.from({ length: plan.stepsPerEpoch }, (_, i) => plan.batchesOf(plan.stepsPerEpoch + i));
    expect(steps.flat()).toEqual(all);
  });
});
