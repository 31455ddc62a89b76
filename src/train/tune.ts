/**
 * The training loop: epochs of grouped batches, optimizer steps, validation, best checkpoint, exact resume.
 *
 * The position of a run is one number, the optimizer step: batches, questions and dropout are functions of (seed, step).
 */
import type { MimicChatModel } from '../model/mimic-chat.js';
import { type Batch, collate } from './batch.js';
import type { RunConfig } from './config.js';
import type { FrameSource } from './feature-source.js';
import { prepareRun, type Run } from './prepare-run.js';
import type { RunState } from './run-folder.js';
import { learningRateAt } from './schedule.js';
import type { ValidationResult } from './validation.js';

export interface TuneOptions {
  readonly config: RunConfig;
  readonly frames: FrameSource;
  readonly resume: boolean;
  /** Ends the run after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStart?: (start: TuneStart) => void;
  readonly onStep?: (step: TuneStep) => void;
}

export interface TuneStart {
  readonly model: MimicChatModel;
  readonly totalSteps: number;
  readonly firstStep: number;
  readonly records: number;
  /** Parts without pretrained weights that stay frozen: worth a warning. */
  readonly freshFrozenParts: readonly string[];
}

export interface TuneStep {
  /** Optimizer steps done. */
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly tokens: number;
  readonly clips: number;
  readonly seconds: number;
  /** Time of the step spent waiting for decoded and encoded videos. */
  readonly dataWaitSec: number;
  readonly validation?: ValidationResult;
}

export interface TuneResult {
  readonly steps: number;
  readonly totalSteps: number;
  readonly reason: 'finished' | 'target reached' | 'no improvement' | 'interrupted';
  readonly best: RunState['best'];
  /** Folder of the best checkpoint, or of the last one when there was no validation. */
  readonly checkpointDir: string;
}

export async function tune(options: TuneOptions): Promise<TuneResult> {
  const run = await prepareRun(options.config, options.frames, options.resume);
  try {
    const { model, totalSteps, freshFrozenParts, data } = run;
    let { state } = run;
    options.onStart?.({ model, totalSteps, firstStep: state.step, records: data.records.length, freshFrozenParts });
    let reason: TuneResult['reason'] = 'finished';
    while (state.step < totalSteps && reason === 'finished') {
      const done = await oneStep(run, state);
      ({ state } = done);
      options.onStep?.(done.report);
      reason = options.signal?.aborted ? 'interrupted' : reasonToStop(run.config, done);
      const ends = reason !== 'finished' || state.step === totalSteps;
      if (ends || done.improved || state.step % run.config.train.saveEverySteps === 0) {
        const best = done.improved || (ends && state.best === null);
        await run.folder.save(state, model, run.optimizer, run, best);
      }
      // Timers and signals get their turn.
      await new Promise(setImmediate);
    }
    return { steps: state.step, totalSteps, reason, best: state.best, checkpointDir: run.folder.bestDir };
  } finally {
    run.dispose();
  }
}

interface DoneStep {
  readonly state: RunState;
  readonly report: TuneStep;
  /** The validation after it is the best so far. */
  readonly improved: boolean;
}

async function oneStep(run: Run, before: RunState): Promise<DoneStep> {
  const { config, totalSteps, plan, trainer, validation } = run;
  const started = performance.now();
  const { batches, ...input } = await drawBatches(run, before.step);
  const learningRate = learningRateAt(config.train, before.step, totalSteps);
  const { loss, gradNorm } = trainer.step(before.step, batches, learningRate);
  const step = before.step + 1;
  const isDue = step === totalSteps || step % config.train.evalEverySteps === 0;
  const result = validation !== null && isDue ? await validation.run(trainer, run.features) : undefined;
  const improved = result !== undefined && (before.best === null || result.accuracy > before.best.accuracy);
  const { epoch } = plan.position(before.step);
  const seconds = (performance.now() - started) / 1000;
  return {
    improved,
    state: {
      step,
      best: improved ? { step, accuracy: result.accuracy, loss: result.loss } : before.best,
      sinceBest: result === undefined ? before.sinceBest : improved ? 0 : before.sinceBest + 1,
    },
    report: {
      ...{ step, totalSteps, epoch, loss, gradNorm, learningRate, seconds, ...input },
      ...(result === undefined ? {} : { validation: result }),
    },
  };
}

/** The step's micro-batches, with all their videos' features at once: a later batch must not evict an earlier one's. */
async function drawBatches({ config, data, plan, features, totalSteps }: Run, step: number) {
  const { epoch } = plan.position(step);
  const micro = plan.batchesOf(step).map((records) => Array.from(records, (record) => data.draw(epoch, record)));
  const samples = micro.flat();
  const waiting = performance.now();
  const videos = await features.take(samples.map(({ video }) => video));
  const dataWaitSec = (performance.now() - waiting) / 1000;
  let next = 0;
  const batches: Batch[] = micro.map((part) => {
    const withFeatures = part.map((sample) => ({ ...sample, features: videos[next++] ?? null }));
    return collate(withFeatures, config.train.lossReduction);
  });
  // The next step's videos decode in other processes while this one computes.
  const following = step + 1 < totalSteps ? plan.batchesOf(step + 1) : [];
  features.prefetch(following.flatMap((records) => Array.from(records, (record) => data.video(record))));
  const tokens = samples.reduce((sum, sample) => sum + sample.tokens.ids.length, 0);
  return { batches, tokens, clips: samples.length, dataWaitSec };
}

/** Early stopping; 'finished' stands for going on. */
function reasonToStop(config: RunConfig, { state, report }: DoneStep): TuneResult['reason'] {
  const { target, patience } = config.train.earlyStopping;
  if (target !== undefined && report.validation !== undefined && report.validation.accuracy >= target) {
    return 'target reached';
  }
  return patience !== undefined && state.sinceBest >= patience ? 'no improvement' : 'finished';
}
