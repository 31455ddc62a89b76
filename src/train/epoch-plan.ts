import { Rng } from '../base/rng.js';
import type { RunConfig } from './config.js';
import { groupByLength } from './length-grouping.js';
import type { TrainingData } from './training-data.js';

/**
 * Which records each optimizer step trains on: every record once an epoch, grouped by token length.
 *
 * A function of (seed, epoch), so any step is reached at once; one epoch's plan is kept.
 */
export class EpochPlan {
  readonly stepsPerEpoch: number;
  private planned: { epoch: number; batches: readonly Int32Array[] } | undefined;

  constructor(
    private readonly data: TrainingData,
    private readonly config: Pick<RunConfig, 'seed' | 'train'>,
  ) {
    const { batchSize, accumulate } = config.train;
    this.stepsPerEpoch = Math.ceil(Math.ceil(data.records.length / batchSize) / accumulate);
  }

  position(step: number): { epoch: number; stepInEpoch: number } {
    return { epoch: Math.floor(step / this.stepsPerEpoch), stepInEpoch: step % this.stepsPerEpoch };
  }

  /** Record indices of the step's micro-batches. */
  batchesOf(step: number): readonly Int32Array[] {
    const { epoch, stepInEpoch } = this.position(step);
    const { accumulate } = this.config.train;
    return this.epoch(epoch).slice(stepInEpoch * accumulate, (stepInEpoch + 1) * accumulate);
  }

  private epoch(epoch: number): readonly Int32Array[] {
    if (this.planned?.epoch !== epoch) this.planned = { epoch, batches: this.plan(epoch) };
    return this.planned.batches;
  }

  private plan(epoch: number): readonly Int32Array[] {
    const { seed, train } = this.config;
    const count = this.data.records.length;
    if (train.groupByLength) {
      const lengths = Int32Array.from({ length: count }, (_, i) => this.data.draw(epoch, i).tokens.ids.length);
      return groupByLength(lengths, {
        batchSize: train.batchSize,
        megabatch: train.accumulate * MEGABATCH_STEPS,
        seed,
        epoch,
      });
    }
    const order = new Rng(seed, 'order').fork(epoch).shuffle(Int32Array.from({ length: count }, (_, i) => i));
    const batches: Int32Array[] = [];
    for (let start = 0; start < count; start += train.batchSize)
      batches.push(order.slice(start, start + train.batchSize));
    return batches;
  }
}

/** Steps whose samples are sorted together: enough to save padding, few enough to keep batches random. */
const MEGABATCH_STEPS = 8;
