/**
 * The training loop: epochs of grouped batches, optimizer steps, validation, best checkpoint, exact resume.
 *
 * The position of a run is one number, the optimizer step: batches, questions and dropout are functions of (seed, step).
 */

import type { Tokenizer } from '../data/tokenizer.js';
import type { Communicator } from '../distributed/communicator.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { BadVideo } from './bad-videos/bad-video.js';
import { noteBadVideos } from './bad-videos/list-file.js';
import { totalWeight } from './batch.js';
import type { RunConfig } from './config.js';
import type { FeatureSource, FrameSource } from './features/feature-source.js';
import type { LoadedStep } from './loader/step-loader.js';
import { prepareRun, type Run } from './prepare-run.js';
import { Ranks, sumByPlace } from './ranks.js';
import type { RunState } from './run-folder.js';
import { learningRateAt } from './schedule.js';
import { startFingerprint } from './start-fingerprint.js';
import type { Validation, ValidationResult } from './validation.js';

export interface TuneOptions {
  readonly config: RunConfig;
  readonly frames: FrameSource;
  /** Features of the same frozen encoders that several runs share; they stay the caller's. Default: the run's own. */
  readonly features?: FeatureSource;
  readonly resume: boolean;
  /** Ends the run after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** The other ranks of the run; default: there are none. */
  readonly communicator?: Communicator;
  readonly onStart?: (start: TuneStart) => void | Promise<void>;
  readonly onStep?: (step: TuneStep) => void;
  /** After the `onStep` of a validation, on the main rank; the others wait. It must leave the model as it is. */
  readonly onValidated?: (validated: ValidatedModel) => Promise<void>;
}

export interface TuneStart {
  readonly model: MimicChatModel;
  readonly totalSteps: number;
  readonly firstStep: number;
  readonly records: number;
  /** Of a validation. */
  readonly questions: number;
  /** Known by now. */
  readonly badVideos: readonly BadVideo[];
  /** Parts without pretrained weights that stay frozen: worth a warning. */
  readonly freshFrozenParts: readonly string[];
}

/** The model between two steps, and what it can be asked. */
export interface ValidatedModel extends Pick<Validation, 'questions' | 'root'> {
  readonly step: number;
  readonly model: MimicChatModel;
  readonly tokenizer: Tokenizer;
  readonly features: FeatureSource;
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
  /** Samples trained on; of none, the loss and the gradient norm are NaN. */
  readonly clips: number;
  /** Samples left out for their videos. */
  readonly skipped: number;
  /** Bad videos that this step or its validation was the first to meet. */
  readonly badVideos: readonly BadVideo[];
  /** Without the validation. */
  readonly seconds: number;
  /** Time of the step that was neither training nor encoding: drawing samples and waiting for frames. */
  readonly dataWaitSec: number;
  readonly validation?: ValidationResult;
  readonly validationSec?: number;
}

export interface TuneResult {
  readonly steps: number;
  readonly totalSteps: number;
  readonly reason: 'finished' | 'target reached' | 'no improvement' | 'interrupted';
  readonly best: RunState['best'];
  /** Folder of the best checkpoint, or of the last one when there was no validation. */
  readonly checkpointDir: string;
  /** Videos that were left out. */
  readonly badVideos: readonly BadVideo[];
}

export async function tune(options: TuneOptions): Promise<TuneResult> {
  const { config, frames, resume, features } = options;
  const ranks = new Ranks(options.communicator);
  const { done: run } = await ranks.phase('start', 0, async () => {
    ranks.checkWork(config.train);
    return prepareRun(config, frames, resume, features, ranks);
  });
  try {
    if (ranks.size > 1) ranks.exchangeEqual('start', run.state.step, startFingerprint(run));
    const { model, totalSteps, freshFrozenParts } = run;
    let { state } = run;
    await options.onStart?.({
      ...{ model, totalSteps, firstStep: state.step, freshFrozenParts, badVideos: allBadVideos(run) },
      ...{ records: run.data.records.length, questions: run.validation?.questions.length ?? 0 },
    });
    let reason: TuneResult['reason'] = 'finished';
    while (state.step < totalSteps && reason === 'finished') {
      const done = await oneStep(run, state, options.signal);
      ({ state } = done);
      options.onStep?.(done.report);
      // One rank's signal becomes known to all with the next step.
      const interrupted = ranks.size === 1 ? options.signal?.aborted : done.interrupted;
      reason = interrupted ? 'interrupted' : reasonToStop(run.config, done);
      const ends = reason !== 'finished' || state.step === totalSteps;
      if (ends || done.improved || state.step % run.config.train.saveEverySteps === 0) {
        const best = done.improved || (ends && state.best === null);
        await ranks.phase('save', state.step, () =>
          run.folder.save(state, model, run.optimizer, run, best, ranks.isMain),
        );
        if (ranks.isMain) await noteBadVideos(run.folder.dir, run.badVideos);
      }
      // After the save: whoever is killed while it reports loses nothing.
      if (done.report.validation !== undefined) await afterValidation(run, state.step, options);
      // Timers and signals get their turn.
      await new Promise(setImmediate);
    }
    return {
      steps: state.step,
      totalSteps,
      reason,
      best: state.best,
      checkpointDir: run.folder.bestDir,
      badVideos: allBadVideos(run),
    };
  } finally {
    await run.features.settle().finally(() => run.dispose());
  }
}

function allBadVideos({ badVideos }: Run): BadVideo[] {
  return [...badVideos.train.list, ...badVideos.validation.list];
}

async function afterValidation({ ranks, validation, ...run }: Run, step: number, { onValidated }: TuneOptions) {
  if (validation === null) return;
  const { questions, root } = validation;
  const { model, tokenizer, features } = run;
  await ranks.phase('validation', step, async () => {
    if (ranks.isMain) await onValidated?.({ step, model, tokenizer, features, questions, root });
  });
}

interface DoneStep {
  readonly state: RunState;
  readonly report: TuneStep;
  /** The validation after it is the best so far. */
  readonly improved: boolean;
  readonly interrupted: boolean;
}

async function oneStep(run: Run, before: RunState, signal?: AbortSignal): Promise<DoneStep> {
  const { config, totalSteps, plan, trainer, validation, ranks, badVideos } = run;
  const started = performance.now();
  const { done: drawn, told } = await ranks.phase('data', before.step, () => run.loader.load(before.step), tellLoaded);
  const { batches, indices, planned } = drawn;
  const [tokens = 0, clips = 0, , ...places] = sumByPlace(told);
  const weights = places.slice(0, drawn.count);
  const settled = badVideos.train.settle(before.step, planned, places.slice(drawn.count));
  if (settled.failure !== undefined) await endForBadVideos(run, settled.failure);
  const dataWaitSec = Math.max(...told.map(([, , wait = 0]) => wait));
  const learningRate = learningRateAt(config.train, before.step, totalSteps);
  const share = { indices, weights, interrupted: signal?.aborted ?? false };
  // A step whose videos are all bad counts, and changes nothing.
  const { loss, gradNorm, interrupted } =
    clips > 0 ? trainer.step(before.step, batches, learningRate, share) : NOTHING_TRAINED;
  const step = before.step + 1;
  const trained = performance.now();
  const isDue = step === totalSteps || step % config.train.evalEverySteps === 0;
  const validated =
    validation !== null && isDue
      ? await validation.run(trainer, run.features, ranks, step, badVideos.validation)
      : undefined;
  if (validated?.settled.failure !== undefined) await endForBadVideos(run, validated.settled.failure);
  const result = validated?.result;
  const improved = result !== undefined && (before.best === null || result.accuracy > before.best.accuracy);
  const { epoch } = plan.position(before.step);
  const seconds = (trained - started) / 1000;
  const validationSec = (performance.now() - trained) / 1000;
  return {
    improved,
    interrupted,
    state: {
      step,
      best: improved ? { step, accuracy: result.accuracy, loss: result.loss } : before.best,
      sinceBest: result === undefined ? before.sinceBest : improved ? 0 : before.sinceBest + 1,
      badVideos: { train: badVideos.train.state(), validation: badVideos.validation.state() },
    },
    report: {
      ...{ step, totalSteps, epoch, loss, gradNorm, learningRate, seconds, tokens, clips, dataWaitSec },
      ...{ skipped: planned.length - clips, badVideos: [...settled.found, ...(validated?.settled.found ?? [])] },
      ...(result === undefined ? {} : { validation: result, validationSec }),
    },
  };
}

/** What the other ranks have to know of this one's batches: their sizes, each one's weight in the loss, and which videos are bad. */
function tellLoaded({ batches, indices, count, tokens, clips, dataWaitSec, outcomes }: LoadedStep) {
  const weights = new Array<number>(count).fill(0);
  for (const [i, index] of indices.entries()) weights[index] = totalWeight(batches.slice(i, i + 1));
  return [tokens, clips, dataWaitSec, ...weights, ...outcomes];
}

const NOTHING_TRAINED = { loss: Number.NaN, gradNorm: Number.NaN, interrupted: false };

/** All ranks have settled the same outcomes, so all of them end here. */
async function endForBadVideos({ ranks, folder, badVideos }: Run, failure: Error): Promise<never> {
  if (ranks.isMain) await noteBadVideos(folder.dir, badVideos);
  return ranks.throwTogether(failure);
}

/** Early stopping; 'finished' stands for going on. */
function reasonToStop(config: RunConfig, { state, report }: DoneStep): TuneResult['reason'] {
  const { target, patience } = config.train.earlyStopping;
  if (target !== undefined && report.validation !== undefined && report.validation.accuracy >= target) {
    return 'target reached';
  }
  return patience !== undefined && state.sinceBest >= patience ? 'no improvement' : 'finished';
}
