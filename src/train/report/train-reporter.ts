/** What a run shows and keeps: the progress line, events.jsonl, TensorBoard scalars, probe answers, plots, report and model card. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChosenBackend } from '../../backend/select.js';
import { writeFileAtomic } from '../../base/atomic-file.js';
import { MimicError } from '../../base/errors.js';
import { EventLog } from '../../base/event-log.js';
import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { videoInput } from '../../data/video/open-video.js';
import type { BadVideo } from '../bad-videos/bad-video.js';
import { QUARANTINE_NAME } from '../bad-videos/list-file.js';
import { describeBadVideos } from '../bad-videos/summary.js';
import { stepFolderName } from '../checkpoint/folder-names.js';
import type { RunConfig } from '../config.js';
import { startupRows } from '../startup-table.js';
import { TensorBoardWriter } from '../tensorboard.js';
import type { TuneResult, TuneStart, TuneStep, ValidatedModel } from '../tune.js';
import { MovingMean } from './curve.js';
import { runEnvironment } from './environment.js';
import { memoryUse } from './memory-use.js';
import { type AnswerProbe, chooseProbes, probeMarkdown } from './probe.js';
import type { ProbeAnswer } from './run-events.js';
import { RunHistory } from './run-history.js';
import { stepLine } from './step-line.js';
import { writeReport } from './write-report.js';

export interface ReporterOptions {
  readonly config: RunConfig;
  /** The resolved settings as YAML, and who set each. */
  readonly yaml: string;
  readonly origins: ReadonlyMap<string, string>;
  readonly chosen: ChosenBackend;
  /** Processes that train together; this is the first of them. */
  readonly ranks: number;
  /** Without it there are no probe answers. */
  readonly answerProbe?: AnswerProbe | undefined;
  /** Receives each event as a line of JSON, in place of the progress line. */
  readonly writeJson?: ((line: string) => void) | undefined;
}

/** Probes and reports together take at most this share of a run; the first two seconds are given. */
const MAX_SHARE = 0.008;
const FREE_MS = 2000;

/** Steps that the mean loss of the progress line is over, about. */
const MEAN_OVER_STEPS = 25;

export class TrainReporter {
  private readonly dir: string;
  private readonly history: RunHistory;
  private readonly lossMean = new MovingMean(MEAN_OVER_STEPS);
  private readonly startedMs = performance.now();
  private reportMs = 0;
  private totalSteps = 0;
  private events: EventLog | undefined;
  private board: TensorBoardWriter | undefined;
  private progress: Progress | undefined;
  private badVideos: readonly BadVideo[] = [];

  constructor(private readonly options: ReporterOptions) {
    const { out, name } = options.config;
    this.dir = join(out, name);
    this.history = new RunHistory(join(this.dir, 'events.jsonl'));
  }

  /** Writes the settings and what the run runs on; nothing before, so that a refused start changes no earlier run. */
  async start({
    model,
    totalSteps,
    firstStep,
    records,
    questions,
    freshFrozenParts,
    badVideos,
  }: TuneStart): Promise<void> {
    const { config, yaml, origins, chosen, ranks, writeJson } = this.options;
    const { dir } = this;
    await mkdir(dir, { recursive: true });
    const environment = await runEnvironment(chosen, ranks);
    await writeFileAtomic(join(dir, 'config.yaml'), yaml);
    await writeFileAtomic(join(dir, 'config.sources.json'), json(Object.fromEntries(origins)));
    await writeFileAtomic(join(dir, 'env.json'), json(environment));
    this.badVideos = badVideos;
    this.totalSteps = totalSteps;
    this.events = new EventLog(join(dir, 'events.jsonl'));
    this.board = new TensorBoardWriter(join(dir, 'tb'), firstStep > 0 ? { resumeStep: firstStep + 1 } : {});
    if (writeJson === undefined) this.progress = new Progress('train', { total: totalSteps }, firstStep);
    const parts = startupRows(model, { freshFrozenParts, layout: config.prompt.layout });
    const facts = { totalSteps, firstStep, records, questions, name: config.name, seed: config.seed };
    this.write('start', { ...facts, parts, environment });
  }

  step({ validation, badVideos, ...step }: TuneStep): void {
    const started = performance.now();
    const lossMean = this.lossMean.add(step.loss);
    const memory = memoryUse();
    this.badVideos = [...this.badVideos, ...badVideos];
    this.write('step', { ...step, lossMean, memoryBytes: memory.usedBytes });
    for (const video of badVideos) {
      this.write('bad video', { ...video });
      log.warnOnce('bad video', `left out from here on: ${video.id} (${video.path}): ${video.code}`);
    }
    const scalars = {
      'train/loss': step.loss,
      'train/gradient norm': step.gradNorm,
      'train/learning rate': step.learningRate,
      'speed/tokens per second': step.tokens / step.seconds,
      'speed/clips per second': step.clips / step.seconds,
      'speed/data wait share': step.dataWaitSec / step.seconds,
      'memory/GiB': memory.usedBytes / 2 ** 30,
      'data/videos left out': this.badVideos.length,
    };
    // A step whose videos were all bad has no loss.
    const known = Object.entries(scalars).filter(([, value]) => !Number.isNaN(value));
    this.board?.scalars(Object.fromEntries(known), step.step);
    if (validation !== undefined) {
      this.write('validation', { step: step.step, ...validation });
      const byTask = Object.entries(validation.byTask).map(([task, value]) => [`validation/${task}`, value] as const);
      const { accuracy, loss } = validation;
      const scores = { 'validation/accuracy': accuracy, 'validation/loss': loss, ...Object.fromEntries(byTask) };
      this.board?.scalars(scores, step.step);
      this.progress?.end();
      log.info(`step ${step.step}: validation accuracy ${accuracy.toFixed(3)}, loss ${loss.toFixed(3)}`);
    }
    this.progress?.update(step.step, stepLine(step, { lossMean, memory, skipped: this.badVideos.length }));
    this.reportMs += performance.now() - started;
  }

  /**
   * Asks the probes and brings the report up to date, unless that has become too large a part of the run: then at a later
   * validation, at the latest the last. A report that fails must not end a run.
   */
  async validated(validated: ValidatedModel): Promise<void> {
    const started = performance.now();
    const isDear = this.reportMs > MAX_SHARE * (started - this.startedMs);
    if (isDear && this.reportMs > FREE_MS && validated.step < this.totalSteps) return;
    try {
      await this.probe(validated);
      await this.report();
    } catch (error) {
      log.warnOnce('report', `the report could not be written: ${String(error)}`);
    }
    this.reportMs += performance.now() - started;
  }

  async end(result: TuneResult): Promise<void> {
    const best = result.best === null ? '' : `, best ${result.best.accuracy.toFixed(3)} at step ${result.best.step}`;
    this.progress?.end();
    log.info(`${result.reason} after step ${result.steps} of ${result.totalSteps}${best}`);
    if (result.badVideos.length > 0) {
      log.warn(
        `${result.badVideos.length} videos left out (${QUARANTINE_NAME}):\n${describeBadVideos(result.badVideos)}`,
      );
    }
    log.info(`checkpoint: ${result.checkpointDir}`);
    const wallSec = (performance.now() - this.startedMs) / 1000;
    this.write('end', { ...result, reportSec: this.reportMs / 1000, wallSec });
    await this.finalReport();
  }

  /** What ended a run that had begun is in its folder too, not on the terminal alone. */
  async failed(error: unknown): Promise<void> {
    if (this.events === undefined) return;
    const { code = 'E_INTERNAL', message } = error instanceof MimicError ? error : { message: String(error) };
    this.write('failed', { code, message });
    await this.finalReport();
  }

  close(): void {
    this.progress?.end();
    this.board?.close();
    this.events?.close();
  }

  private async probe({ step, model, tokenizer, features, questions, root }: ValidatedModel): Promise<void> {
    const { answerProbe, config } = this.options;
    const probes = chooseProbes(questions, config.train.probes);
    if (answerProbe === undefined || probes.length === 0) return;
    const answers: ProbeAnswer[] = [];
    for (const question of probes) {
      // One at a time: a validation may have filled the memory for features.
      const [video] = await features.tryTake([videoInput(root, question)]);
      if (video === undefined || video instanceof Error) continue;
      const { prompt, train } = config;
      const answer = await answerProbe({
        question,
        features: video,
        model,
        tokenizer,
        prompt,
        maxLength: train.maxLength,
      });
      const { id, task, options, videoPath, videoId, answer: right } = question;
      answers.push({
        id,
        task,
        video: videoPath === '' ? videoId : videoPath,
        options: [...options],
        answer: right,
        ...answer,
      });
    }
    this.write('probe', { step, answers });
    await mkdir(join(this.dir, 'samples'), { recursive: true });
    await writeFileAtomic(join(this.dir, 'samples', `${stepFolderName(step)}.md`), probeMarkdown(step, answers), {
      durable: false,
    });
  }

  private async finalReport(): Promise<void> {
    try {
      await this.report();
      log.info(`report: ${join(this.dir, 'report.html')}`);
    } catch (error) {
      log.warnOnce('report', `the report could not be written: ${String(error)}`);
    }
  }

  private async report(): Promise<void> {
    const { config, origins } = this.options;
    await this.history.update();
    await writeReport(this.dir, { config, origins, history: this.history, badVideos: this.badVideos });
  }

  private write(event: string, fields: Readonly<Record<string, unknown>>): void {
    this.events?.write(event, fields);
    this.options.writeJson?.(`${JSON.stringify({ event, ...fields })}\n`);
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
