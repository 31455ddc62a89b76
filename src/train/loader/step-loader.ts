/**
 * The optimizer steps' batches, in order: samples are drawn and their videos decoded some steps ahead of the trainer.
 *
 * What a step holds is a function of (seed, step) alone, and features are taken in its order: how many decoders work, and how
 * far ahead, changes no number. What fails ahead is thrown by the step that needs it.
 */
import type { VideoInput } from '../../data/video/open-video.js';
import { NOT_TRIED, type Outcome, outcomeOf } from '../bad-videos/bad-video.js';
import type { BadVideoLedger } from '../bad-videos/ledger.js';
import { judge, takeGood } from '../bad-videos/take-good.js';
import { type Batch, collate, collatePacked, type TrainingSample } from '../batch.js';
import type { RunConfig } from '../config.js';
import type { EpochPlan } from '../epoch-plan.js';
import type { FeatureSource } from '../features/feature-source.js';
import type { Ranks } from '../ranks.js';
import type { DrawnSample, TrainingData } from '../training-data.js';

export interface LoadedStep {
  /** This rank's micro-batches; one whose videos are all bad is left out. */
  readonly batches: readonly Batch[];
  /** Of each, among all of the step. */
  readonly indices: readonly number[];
  /** Micro-batches of the step on all ranks. */
  readonly count: number;
  /** Samples of the step on all ranks, in the order of the plan. */
  readonly planned: readonly { readonly id: string; readonly path: string }[];
  /** What became of each of `planned`; 0 where it is another rank's. */
  readonly outcomes: readonly Outcome[];
  readonly tokens: number;
  /** Samples in the batches. */
  readonly clips: number;
  /** Time that was neither training nor encoding: drawing samples, and waiting for frames. */
  readonly dataWaitSec: number;
}

export interface LoaderParts {
  readonly config: {
    readonly train: Pick<RunConfig['train'], 'packing' | 'lossReduction'>;
    readonly data: Pick<RunConfig['data'], 'prefetchSteps' | 'badVideo'>;
  };
  readonly plan: Pick<EpochPlan, 'position' | 'batchesOf'>;
  readonly data: Pick<TrainingData, 'draw' | 'source'>;
  readonly features: Pick<FeatureSource, 'tryTake' | 'prefetch' | 'encodeSec' | 'lookedUp'>;
  readonly ranks: Pick<Ranks, 'deal'>;
  readonly badVideos: Pick<BadVideoLedger, 'isOut'>;
  readonly totalSteps: number;
}

interface PlacedSample extends DrawnSample {
  /** Among all samples of the step. */
  readonly place: number;
}

interface DrawnStep extends Pick<LoadedStep, 'indices' | 'count' | 'planned'> {
  /** Samples whose pictures were bad already when their sizes were read. */
  readonly failed: readonly { readonly place: number; readonly error: unknown }[];
  readonly micro: readonly (readonly PlacedSample[])[];
}

/**
 * Share of the time that a step trains which the loader gives to looking up the next steps' videos, so that their decoding
 * begins: the trainer's thread takes no turn of its event loop while it computes, and a lookup takes several.
 */
const LOOKUP_SHARE = 0.03;
/** At most, however long a validation took. */
const MAX_LOOKUP_MS = 250;

export class StepLoader {
  private readonly ahead = new Map<number, DrawnStep>();
  private loadedAt: number | undefined;

  constructor(private readonly parts: LoaderParts) {}

  /** Features stay valid until the next call. @throws what drawing or decoding a sample of this step threw */
  async load(step: number): Promise<LoadedStep> {
    const { config, features } = this.parts;
    const started = performance.now();
    const trainedMs = started - (this.loadedAt ?? started);
    const encodedBefore = features.encodeSec;
    const { indices, count, planned, micro, failed } = this.ahead.get(step) ?? this.draw(step);
    this.ahead.delete(step);
    const outcomes = planned.map(() => 0);
    for (const { place, error } of failed) {
      const { id = '' } = planned[place] ?? {};
      outcomes[place] = this.parts.badVideos.isOut(id) ? NOT_TRIED : judge(id, error, config.data.badVideo);
    }
    const tried = this.tried(micro);
    // In the order of need: this step's before the next ones'.
    features.prefetch(tried.map(({ video }) => video));
    this.lookAhead(step);
    // All of the step's at once: a later batch must not evict an earlier one's.
    const taken = await takeGood(features, tried, config.data);
    await within(Math.min(LOOKUP_SHARE * trainedMs, MAX_LOOKUP_MS), features.lookedUp());
    const found = new Map(tried.map(({ place }, i) => [place, taken[i]]));
    const samples = micro.map((part) => {
      return part.flatMap(({ place, ...sample }): TrainingSample[] => {
        if (sample.video === null) {
          outcomes[place] = NOT_TRIED;
          return [{ ...sample, features: null }];
        }
        const { outcome, features } = found.get(place) ?? { outcome: NOT_TRIED, features: null };
        outcomes[place] = outcome;
        return features === null ? [] : [{ ...sample, features }];
      });
    });
    const { packing, lossReduction } = config.train;
    const filled = [...samples.keys()].filter((i) => (samples[i] ?? []).length > 0);
    const all = samples.flat();
    this.loadedAt = performance.now();
    return {
      batches: filled.map((i) => (packing ? collatePacked : collate)(samples[i] ?? [], lossReduction)),
      indices: filled.map((i) => indices[i] ?? 0),
      ...{ count, planned, outcomes },
      tokens: all.reduce((sum, sample) => sum + sample.tokens.ids.length, 0),
      clips: all.length,
      dataWaitSec: (this.loadedAt - started) / 1000 - (features.encodeSec - encodedBefore),
    };
  }

  /** Samples whose videos are to be decoded. */
  private tried(micro: DrawnStep['micro']): { id: string; place: number; video: VideoInput }[] {
    return micro.flat().flatMap(({ id, place, video }) => {
      return video === null || this.parts.badVideos.isOut(id) ? [] : [{ id, place, video }];
    });
  }

  private lookAhead(step: number): void {
    const { config, features, totalSteps } = this.parts;
    const end = Math.min(totalSteps, step + 1 + config.data.prefetchSteps);
    for (let next = step + 1; next < end; next++) {
      try {
        const drawn = this.ahead.get(next) ?? this.draw(next);
        this.ahead.set(next, drawn);
        features.prefetch(this.tried(drawn.micro).map(({ video }) => video));
      } catch {
        // A sample that cannot be drawn: the step that needs it draws it again, and says so.
        return;
      }
    }
  }

  private draw(step: number): DrawnStep {
    const { plan, data, ranks } = this.parts;
    const { epoch } = plan.position(step);
    const batches = plan.batchesOf(step).map((batch) => [...batch]);
    const planned = batches.flat().map((index) => data.source(index));
    const starts: number[] = [];
    for (const [i, batch] of batches.entries()) starts[i + 1] = (starts[i] ?? 0) + batch.length;
    const indices = ranks.deal(batches.length, step);
    const failed: { place: number; error: unknown }[] = [];
    const micro = indices.map((index) => {
      const start = starts[index] ?? 0;
      return (batches[index] ?? []).flatMap((record, i): PlacedSample[] => {
        try {
          return [{ ...data.draw(epoch, record), place: start + i }];
        } catch (error) {
          if (outcomeOf(error) === undefined) throw error;
          failed.push({ place: start + i, error });
          return [];
        }
      });
    });
    return { indices, count: batches.length, planned, micro, failed };
  }
}

/** Waits for `work`, but not longer than so many milliseconds. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, enough]);
  clearTimeout(timer);
}
