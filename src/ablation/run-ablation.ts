/** `mimic ablate`: every variant from every base with every seed, then the table. */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type BackendOptions, useBackend } from '../backend/select.js';
import { writeFileAtomic } from '../base/atomic-file.js';
import { ConfigError, MimicError } from '../base/errors.js';
import { formatDuration } from '../base/format.js';
import { sha256 } from '../base/hash.js';
import { log } from '../base/logger.js';
import { Progress } from '../base/progress.js';
import { readRecords } from '../data/read-records.js';
import { buildBenchmark } from '../data/tasks/benchmark.js';
import type { ChoiceQuestion } from '../data/tasks/types.js';
import type { RunConfig } from '../train/config.js';
import { type AblationBase, ownBase, synthesizedBase } from './bases.js';
import { RunClock } from './clock.js';
import { type ConfigSource, configSha256, decidingSettings, differingKeys, planConfig, planRun } from './plan-runs.js';
import { machineText, sourceCommit } from './provenance.js';
import { type Ablation, type BaseReport, type FailedRun, reportAblation } from './report/report-ablation.js';
import { type AskedQuestion, type RunKey, type RunResult, runName } from './result.js';
import { finishedRun, runDir, runVariant } from './run-variant.js';
import { type SharedFeatures, sharedFeatures } from './shared-features.js';
import type { Variant } from './variants.js';

export interface AblationOptions extends BackendOptions {
  readonly configFile: string;
  readonly overrides: readonly string[];
  readonly seeds: readonly number[];
  /** Seeds of bases to make; without them the configuration's own base. */
  readonly bases?: readonly number[] | undefined;
  readonly basesDir?: string | undefined;
  readonly variants: readonly Variant[];
  /** JSONL records of the third split, for the configuration's own base. */
  readonly test?: string | undefined;
  readonly out: string;
  readonly resume: boolean;
  readonly quick: boolean;
}

export interface AblationOutcome {
  readonly failed: number;
  readonly interrupted: boolean;
}

/** Questions of every base are built with one seed, whatever the runs' seeds are. */
const QUESTION_SEED = 1;

export async function runAblation(options: AblationOptions): Promise<AblationOutcome> {
  const started = performance.now();
  const { seeds, variants, out, configFile: file, overrides, quick } = options;
  const source: ConfigSource = { file, overrides, quick };
  const config = await planConfig(source);
  // What is missing is said before the folder is taken.
  if (options.bases === undefined) await ownBase(config, options.test);
  await claimFolder(options, config);
  const backend = await useBackend(options);
  log.info(`backend ${backend.name}: ${backend.reason}`);
  const commit = await sourceCommit();
  const names = options.bases?.map(String) ?? ['own'];
  const perBase = seeds.length * variants.length;
  log.info(
    `${names.length * perBase} runs of ${config.train.maxSteps ?? `${config.train.epochs} epochs'`} steps: ` +
      `bases ${names.join(', ')} x seeds ${seeds.join(', ')} x ${variants.length} variants`,
  );
  const signals = new StopSignals();
  const clock = new RunClock();
  const bases: BaseReport[] = [];
  const runs: RunResult[] = [];
  const failures: FailedRun[] = [];
  try {
    for (const [index, name] of names.entries()) {
      if (signals.stop.aborted) break;
      const from = performance.now();
      const base = await orInterrupted(signals.stop, () =>
        options.bases === undefined
          ? ownBase(config, options.test)
          : synthesizedBase({
              ...{ dir: join(options.basesDir ?? join(out, 'bases'), name), seed: Number(name), quick, config },
              signal: signals.stop,
            }),
      );
      if (base === undefined) break;
      clock.add('base', (performance.now() - from) / 1000);
      const questions = await questionsOf(base);
      bases.push({ name, sha256: base.sha256, stages: base.stages, questions: questions.map(asked) });
      const rest = names.slice(index + 1).flatMap(() => ['base', ...seeds.flatMap(() => variants)]);
      const done = await runBase({ source, base, questions, commit, signals, clock, rest, ...options });
      runs.push(...done.runs);
      failures.push(...done.failures);
    }
  } finally {
    signals.release();
  }
  const interrupted = signals.stop.aborted;
  const ablation: Ablation = {
    ...{ commit, machine: machineText(), backend, seconds: (performance.now() - started) / 1000, quick, interrupted },
    ...{
      configFile: file,
      overrides,
      steps: config.train.maxSteps ?? null,
      seeds,
      variants,
      questionSeed: QUESTION_SEED,
    },
    ...{ bases, runs, failures },
  };
  const [first] = failures;
  if (runs.length === 0 && first !== undefined) throw first.error;
  if (runs.length > 0) await reportAblation(out, ablation);
  if (interrupted) log.warn('interrupted: --resume goes on from the checkpoints');
  return { failed: failures.length, interrupted };
}

interface BaseRuns extends AblationOptions {
  readonly source: ConfigSource;
  readonly base: AblationBase;
  readonly questions: readonly ChoiceQuestion[];
  readonly commit: string | null;
  readonly signals: StopSignals;
  readonly clock: RunClock;
  /** Kinds of what follows this base, for the estimate of the time left. */
  readonly rest: readonly string[];
}

async function runBase(options: BaseRuns): Promise<{ runs: RunResult[]; failures: FailedRun[] }> {
  const { source, base, questions, seeds, variants, out, signals, clock, rest, commit } = options;
  const full = await planConfig(source, base.overrides);
  const runs: RunResult[] = [];
  const failures: FailedRun[] = [];
  // Made when the first run needs it: a base whose runs are all done decodes nothing.
  let shared: SharedFeatures | undefined;
  const keys = seeds.flatMap((seed) => variants.map((variant): RunKey => ({ base: base.name, seed, variant })));
  try {
    for (const [index, key] of keys.entries()) {
      if (signals.stop.aborted) break;
      const config = await planRun(source, { ...key, out, base });
      const identity = {
        configSha256: configSha256(config),
        baseSha256: base.sha256,
        questionsSha256: sha256(JSON.stringify(questions)),
      };
      const before = await finishedRun(config);
      if (before !== undefined) {
        checkSame(before, identity, runDir(config));
        runs.push(before);
        continue;
      }
      shared ??= await sharedFeatures({ ...full, out }, base.frames);
      const after = [...keys.slice(index + 1).map(({ variant }) => variant), ...rest];
      const progress = new RunProgress(runName(key), clock, key.variant, after);
      const from = performance.now();
      try {
        const { features } = shared;
        const result = await runVariant({
          ...{ key, config, base, features, questions, identity: { ...identity, commit }, signal: signals.stop },
          onStep: ({ step, totalSteps, loss }) => progress.step(step, totalSteps, loss),
        });
        if (result === undefined) break;
        clock.add(key.variant, (performance.now() - from) / 1000);
        runs.push(result);
        progress.end(summary(result, questions));
      } catch (error) {
        if (signals.stop.aborted) break;
        // A mistake in this program must not look like a run that did not work out.
        const failure = {
          ...key,
          code: error instanceof MimicError ? error.code : 'E_INTERNAL',
          message: String(error),
        };
        failures.push({ ...failure, error });
        progress.end();
        log.warn(`${runName(key)}: failed, the others go on: ${failure.message}`);
        if (!(error instanceof MimicError) && error instanceof Error) log.info(error.stack ?? '');
      }
    }
  } finally {
    shared?.dispose();
  }
  return { runs, failures };
}

async function questionsOf(base: AblationBase): Promise<readonly ChoiceQuestion[]> {
  const { records } = await readRecords(base.testRecords, base.testRoot);
  return buildBenchmark(records, QUESTION_SEED).questions;
}

function asked({ id, videoId, task, axis, fact, answer }: ChoiceQuestion): AskedQuestion {
  return {
    id,
    videoId,
    task,
    ...(axis === undefined ? {} : { axis }),
    ...(fact === undefined ? {} : { fact }),
    answer,
  };
}

function summary(result: RunResult, questions: readonly ChoiceQuestion[]): string {
  const axes = ['spatial', 'temporal', 'style', undefined] as const;
  const parts = axes.flatMap((axis) => {
    const own = [...questions.keys()].filter((i) => axis === undefined || questions[i]?.axis === axis);
    const right = own.filter((i) => result.choices[i] === String(questions[i]?.answer)).length;
    return own.length === 0 ? [] : [`${axis ?? 'all'} ${((100 * right) / own.length).toFixed(1)}`];
  });
  const { tuning, evaluation } = result.seconds;
  return `${runName(result)}: ${parts.join('  ')} %  (${formatDuration(tuning)} + ${formatDuration(evaluation)})`;
}

/** A line that a run and all runs have in common: what is left of each. */
class RunProgress {
  private line: Progress | undefined;
  private readonly startedSec = performance.now() / 1000;
  private firstStep = 0;

  constructor(
    private readonly label: string,
    private readonly clock: RunClock,
    private readonly kind: string,
    private readonly after: readonly string[],
  ) {}

  step(step: number, totalSteps: number, loss: number): void {
    if (this.line === undefined) {
      this.firstStep = step - 1;
      this.line = new Progress(this.label, { total: totalSteps }, this.firstStep);
    }
    const spent = performance.now() / 1000 - this.startedSec;
    const whole = (spent / (step - this.firstStep)) * (totalSteps - this.firstStep);
    // Before a run has ended, this one stands for all.
    const left = this.clock.expected(this.kind) === undefined ? whole * this.after.length : this.clock.left(this.after);
    const all = whole - spent + (left ?? 0);
    const ofAll = left === undefined || all < 1 ? '' : `, all runs ${formatDuration(all)}`;
    this.line.update(step, `loss ${loss.toFixed(3)}${ofAll}`);
  }

  end(text = ''): void {
    this.line?.end();
    if (text !== '') log.info(text);
  }
}

/** The first signal asks for a checkpoint, the second ends the process. */
class StopSignals {
  private readonly controller = new AbortController();
  private readonly listener = (signal: NodeJS.Signals): void => {
    if (this.stop.aborted) process.exit(130);
    log.warn(`${signal}: saving after this step; again to stop at once`);
    this.controller.abort(new Error(signal));
  };

  constructor() {
    process.on('SIGINT', this.listener).on('SIGTERM', this.listener);
  }

  get stop(): AbortSignal {
    return this.controller.signal;
  }

  release(): void {
    process.off('SIGINT', this.listener).off('SIGTERM', this.listener);
  }
}

async function orInterrupted<T>(stop: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (stop.aborted) return undefined;
    throw error;
  }
}

/** A folder holds the runs of one set of settings; seeds, bases and variants may be added to it. */
async function claimFolder({ out, resume, test, quick }: AblationOptions, config: RunConfig): Promise<void> {
  const path = join(out, 'settings.json');
  const now = { ...decidingSettings({ ...config, seed: 0 }), quick, test: test ?? null };
  if (existsSync(path)) {
    if (!resume) {
      throw new ConfigError('E_ABLATION_EXISTS', `${out}: holds the runs of an earlier ablation.`, {
        hint: 'Add --resume to go on with it, give another --out, or delete the folder.',
      });
    }
    const then = z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(path, 'utf8')));
    const keys = differingKeys(then, now);
    if (keys.length > 0) throw otherSettings(path, keys);
  }
  await mkdir(out, { recursive: true });
  await writeFileAtomic(path, `${JSON.stringify(now, null, 2)}\n`);
}

function checkSame(
  before: RunResult,
  now: Pick<RunResult, 'configSha256' | 'baseSha256' | 'questionsSha256'>,
  dir: string,
) {
  const keys = ['configSha256', 'baseSha256', 'questionsSha256'] as const;
  const changed = keys.filter((key) => before[key] !== now[key]);
  if (changed.length > 0) throw otherSettings(join(dir, 'result.json'), changed);
}

function otherSettings(path: string, keys: readonly string[]): ConfigError {
  return new ConfigError('E_ABLATION_RESUME', `${path}: made with other settings: ${keys.join(', ')}.`, {
    hint: 'Give the settings it was made with, or another --out.',
  });
}
