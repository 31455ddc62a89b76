/** `mimic train`: configuration, backend, progress, logs and signals around the training loop. */
import type { BackendOptions, ChosenBackend } from '../backend/select.js';
import { log } from '../base/logger.js';
import type { Communicator } from '../distributed/communicator.js';
import type { Ablation } from '../model/config.js';
import { loadRunConfig } from './base-settings.js';
import { dryRun } from './dry-run.js';
import { asRank } from './join-ranks.js';
import { decodingOptions, startDecoding } from './loader/decode-workers.js';
import type { AnswerProbe } from './report/probe.js';
import { TrainReporter } from './report/train-reporter.js';
import { startupTable } from './startup-table.js';
import { tune } from './tune.js';

export interface RunTrainOptions extends BackendOptions {
  readonly configFile: string;
  readonly overrides: readonly string[];
  readonly resume: boolean;
  readonly dryRun: boolean;
  readonly ablate?: Ablation | undefined;
  /** One JSON object a line on stdout, in place of the progress line. */
  readonly json?: boolean | undefined;
  /** Asks the model in training; without it the report has no probe answers. */
  readonly answerProbe?: AnswerProbe | undefined;
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
  return asRank(options, (communicator, chosen) => trainOnRank(options, loaded, communicator, chosen));
}

/** SIGUSR2 is for mpirun, which passes it on at once; after SIGTERM it gives its ranks one second. Node keeps SIGUSR1 for itself. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGUSR2'] as const;

/** Rank 0 alone prints and writes. */
async function trainOnRank(
  options: RunTrainOptions,
  { config, yaml, origins }: Awaited<ReturnType<typeof loadRunConfig>>,
  communicator: Communicator,
  chosen: ChosenBackend,
): Promise<{ interrupted: boolean }> {
  log.info(`backend ${chosen.name}: ${chosen.reason}`);
  if (communicator.size > 1)
    log.info(`${communicator.name}: data parallel, optimizer state in ${communicator.size} shares`);

  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(130);
    log.warn(`${signal}: saving after this step; again to stop at once`);
    stop.abort();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  const decoding = startDecoding(decodingOptions(config));
  const reporter =
    communicator.rank === 0
      ? new TrainReporter({
          ...{ config, yaml, origins, chosen, ranks: communicator.size, answerProbe: options.answerProbe },
          writeJson: options.json ? (line) => process.stdout.write(line) : undefined,
        })
      : undefined;
  try {
    const result = await tune({
      config,
      frames: decoding.frames,
      resume: options.resume,
      communicator,
      signal: stop.signal,
      onStart: async (start) => {
        const { model, totalSteps, firstStep, records, freshFrozenParts } = start;
        log.info(startupTable(model, { freshFrozenParts, layout: config.prompt.layout }));
        log.info(`${records} videos, ${totalSteps} steps${firstStep > 0 ? `, resuming after step ${firstStep}` : ''}`);
        await reporter?.start(start);
      },
      onStep: (step) => reporter?.step(step),
      onValidated: async (validated) => reporter?.validated(validated),
    });
    await reporter?.end(result);
    return { interrupted: result.reason === 'interrupted' };
  } catch (error) {
    await reporter?.failed(error);
    throw error;
  } finally {
    reporter?.close();
    await decoding.close();
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}
