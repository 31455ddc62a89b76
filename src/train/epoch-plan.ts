import { Rng } from '../base/rng.js';
import { outcomeOf } from './bad-videos/bad-video.js';
import type { RunConfig } from './config.js';
import { groupByLength, LengthGroups } from './length-grouping.js';
import { packFirstFit } from './packing.js';
import type { TrainingData } from './training-data.js';

/** Batch number of an epoch -> its records. */
type Epoch = (index: number) => Int32Array | undefined;

/** What the plan asks of the data. */
export interface PlannedData {
  readonly records: { readonly length: number };
  draw: (epoch: number, index: number) => Pick<ReturnType<TrainingData['draw']>, 'tokens'>;
  /** Characters of each record's texts. */
  readonly textLengths: ArrayLike<number>;
}

/**
 * Which records each optimizer step trains on: every record once an epoch, grouped by token length.
 *
 * A function of (seed, epoch), so any step is reached at once; one epoch's plan is kept. Only samples near the step are
 * drawn and tokenized for their lengths: the first batch of a large corpus costs what any other does.
 */
export class EpochPlan {
  readonly stepsPerEpoch: number;
  private planned: { epoch: number; batch: Epoch } | undefined;

  constructor(
    private readonly data: PlannedData,
    private readonly config: { readonly seed: number; readonly train: PlanSettings },
  ) {
    const { batchSize, accumulate } = config.train;
    this.stepsPerEpoch = Math.ceil(Math.ceil(data.records.length / batchSize) / accumulate);
  }

  position(step: number): { epoch: number; stepInEpoch: number } {
    return { epoch: Math.floor(step / this.stepsPerEpoch), stepInEpoch: step % this.stepsPerEpoch };
  }

  /** Record indices of the step's micro-batches; with packing, of its rows, each a micro-batch. */
  batchesOf(step: number): readonly Int32Array[] {
    const { packing = false, maxLength = Number.POSITIVE_INFINITY } = this.config.train;
    if (!packing) return this.plannedBatches(step);
    const { epoch } = this.position(step);
    const records = this.plannedBatches(step).flatMap((batch) => [...batch]);
    const lengths = records.map((record) => this.data.draw(epoch, record).tokens.ids.length);
    return packFirstFit(lengths, maxLength).map((row) => Int32Array.from(row, (i) => records[i] ?? -1));
  }

  private plannedBatches(step: number): readonly Int32Array[] {
    const { epoch, stepInEpoch } = this.position(step);
    const { accumulate } = this.config.train;
    const batch = this.epoch(epoch);
    const first = stepInEpoch * accumulate;
    return Array.from({ length: accumulate }, (_, i) => batch(first + i)).filter((records) => records !== undefined);
  }

  private epoch(epoch: number): Epoch {
    if (this.planned?.epoch !== epoch) this.planned = { epoch, batch: this.plan(epoch) };
    return this.planned.batch;
  }

  private plan(epoch: number): Epoch {
    const { seed, train } = this.config;
    const count = this.data.records.length;
    // Rows are filled best from lengths of all kinds.
    if (train.groupByLength && train.packing !== true) return this.grouped(epoch, count);
    const order = new Rng(seed, 'order').fork(epoch).shuffle(Int32Array.from({ length: count }, (_, i) => i));
    return (index) => {
      const start = index * train.batchSize;
      return start < count ? order.slice(start, start + train.batchSize) : undefined;
    };
  }

  private grouped(epoch: number, count: number): Epoch {
    const { seed, train } = this.config;
    const options = { batchSize: train.batchSize, megabatch: train.accumulate * MEGABATCH_STEPS, seed, epoch };
    const lengthOf = (index: number) => this.length(epoch, index);
    if (count <= EXACT_RECORDS) {
      const batches = groupByLength(
        Int32Array.from({ length: count }, (_, i) => lengthOf(i)),
        options,
      );
      return (index) => batches[index];
    }
    const groups = new LengthGroups(count, options, lengthOf);
    // The one with the most text stands for the longest: to know that, every sample would have to be drawn.
    if (epoch === 0) groups.leadWith(this.wordiest(count));
    return (index) => (index < groups.size ? groups.batch(index) : undefined);
  }

  private length(epoch: number, index: number): number {
    try {
      return this.data.draw(epoch, index).tokens.ids.length;
    } catch (error) {
      // A picture without a readable size: it keeps its place, and the step that it belongs to deals with it.
      if (outcomeOf(error) === undefined) throw error;
      return 0;
    }
  }

  private wordiest(count: number): number {
    const { textLengths } = this.data;
    let most = 0;
    for (let i = 1; i < count; i++) if ((textLengths[i] ?? 0) > (textLengths[most] ?? 0)) most = i;
    return most;
  }
}

type PlanSettings = Pick<RunConfig['train'], 'batchSize' | 'accumulate' | 'groupByLength'> &
  Partial<Pick<RunConfig['train'], 'packing' | 'maxLength'>>;

/** Steps whose samples are sorted together: enough to save padding, few enough to keep batches random. */
const MEGABATCH_STEPS = 8;
/** Up to so many, all of an epoch's samples are drawn at its start, to put the longest first. */
const EXACT_RECORDS = 1024;
