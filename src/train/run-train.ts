/** `mimic train`: configuration, backend, progress, logs and signals around the training loop. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { type BackendOptions, useBackend } from '../backend/select.js';
import { writeFileAtomic } from '../base/atomic-file.js';
import { EventLog } from '../base/event-log.js';
import { formatBytes, formatDuration } from '../base/format.js';
import { log } from '../base/logger.js';
import { Progress } from '../base/progress.js';
import { openVideo } from '../data/video/open-video.js';
import { Pool } from '../data/video/pool.js';
import type { Ablation } from '../model/config.js';
import { loadRunConfig } from './base-settings.js';
import { type RunConfig, samplingOf } from './config.js';
import { dryRun } from './dry-run.js';
import { startupTable } from './startup-table.js';
import { TensorBoardWriter } from './tensorboard.js';
import { type TuneResult, type TuneStep, tune } from './tune.js';

export interface RunTrainOptions extends BackendOptions {
  readonly configFile: string;
  readonly overrides: readonly string[];
  readonly resume: boolean;
  readonly dryRun: boolean;
  readonly ablate?: Ablation | undefined;
}

/** @returns interrupted: a signal ended the run, after a checkpoint */
export async function runTrain(options: RunTrainOptions): Promise<{ interrupted: boolean }> {
  const ablation = options.ablate === undefined ? [] : [`--model.ablate=${options.ablate}`, `--name=${options.ablate}`];
  const loaded = await loadRunConfig({
    file: options.configFile,
    // Last wins: a flag of the user's own stands after the ablation's.
    overrides: [...ablation, ...options.overrides],
  });
  const { config } = loaded;
  for (const note of loaded.notes) log.info(note);
  if (options.dryRun) {
    process.stdout.write(`${await dryRun(config, options.precision)}\n`);
    return { interrupted: false };
  }
  const chosen = await useBackend(options);
  log.info(`backend ${chosen.name}: ${chosen.reason}`);
  const dir = join(config.out, config.name);
  await mkdir(dir, { recursive: true });
  await writeFileAtomic(join(dir, 'config.yaml'), loaded.yaml);
  await writeFileAtomic(
    join(dir, 'config.sources.json'),
    `${JSON.stringify(Object.fromEntries(loaded.origins), null, 2)}\n`,
  );

  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(130);
    log.warn(`${signal}: saving after this step; again to stop at once`);
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const reporter = new TrainReporter(config, dir);
  try {
    const pool = new Pool(config.data.decodeWorkers);
    const sampling = samplingOf(config);
    const result = await tune({
      config,
      frames: (input) => openVideo(input, sampling, { pool }),
      resume: options.resume,
      signal: stop.signal,
      onStart: ({ model, totalSteps, firstStep, records, freshFrozenParts }) => {
        log.info(startupTable(model, { freshFrozenParts }));
        log.info(`${records} videos, ${totalSteps} steps${firstStep > 0 ? `, resuming after step ${firstStep}` : ''}`);
        reporter.start(totalSteps, firstStep);
      },
      onStep: (step) => reporter.step(step),
    });
    reporter.end(result);
    return { interrupted: result.reason === 'interrupted' };
  } finally {
    reporter.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** One progress line, events.jsonl and TensorBoard scalars. */
class TrainReporter {
  private readonly events: EventLog;
  private board: TensorBoardWriter | undefined;
  private progress: Progress | undefined;

  constructor(
    private readonly config: RunConfig,
    private readonly dir: string,
  ) {
    this.events = new EventLog(join(dir, 'events.jsonl'));
  }

  start(totalSteps: number, firstStep: number): void {
    this.board = new TensorBoardWriter(join(this.dir, 'tb'), firstStep > 0 ? { resumeStep: firstStep } : {});
    this.progress = new Progress('train', { total: totalSteps }, firstStep);
    this.events.write('start', { totalSteps, firstStep, name: this.config.name, seed: this.config.seed });
  }

  step({ validation, ...step }: TuneStep): void {
    this.events.write('step', step);
    const scalars = { loss: step.loss, 'gradient norm': step.gradNorm, 'learning rate': step.learningRate };
    for (const [tag, value] of Object.entries(scalars)) this.board?.scalar(`train/${tag}`, value, step.step);
    this.board?.scalar('speed/tokens per second', step.tokens / step.seconds, step.step);
    if (validation !== undefined) {
      this.events.write('validation', { step: step.step, ...validation });
      this.board?.scalar('validation/accuracy', validation.accuracy, step.step);
      this.board?.scalar('validation/loss', validation.loss, step.step);
      for (const [task, accuracy] of Object.entries(validation.byTask)) {
        this.board?.scalar(`validation/${task}`, accuracy, step.step);
      }
      this.progress?.end();
      log.info(
        `step ${step.step}: validation accuracy ${validation.accuracy.toFixed(3)}, loss ${validation.loss.toFixed(3)}`,
      );
    }
    this.progress?.update(step.step, describe(step));
  }

  end(result: TuneResult): void {
    const best = result.best === null ? '' : `, best ${result.best.accuracy.toFixed(3)} at step ${result.best.step}`;
    this.progress?.end(`${result.reason} after step ${result.steps} of ${result.totalSteps}${best}`);
    log.info(`checkpoint: ${result.checkpointDir}`);
    this.events.write('end', { ...result });
  }

  close(): void {
    this.board?.close();
    this.events.close();
  }
}

function describe(step: Omit<TuneStep, 'validation'>): string {
  const wait = (100 * step.dataWaitSec) / step.seconds;
  return [
    `loss ${step.loss.toFixed(3)}`,
    `lr ${step.learningRate.toExponential(1)}`,
    `gnorm ${step.gradNorm.toFixed(2)}`,
    `${Math.round(step.tokens / step.seconds)} tok/s`,
    `${(step.clips / step.seconds).toFixed(1)} clips/s`,
    `${formatBytes(tf.memory().numBytes)}`,
    `data wait ${wait.toFixed(0)}%`,
    formatDuration(step.seconds),
  ].join('  ');
}
