/**
 * `npm run demo`: the main job on a laptop, from rendered videos to a report.
 *
 * Clips are rendered and decoded; foundation stages make a base (encoders, language model); MIMIC tuning trains
 * projectors, gates and LoRA on it with the same code as `mimic train`; the result answers the test split.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackendOptions, useBackend } from '../backend/select.js';
import { writeFileAtomic } from '../base/atomic-file.js';
import { loadConfig } from '../base/config.js';
import { formatDuration } from '../base/format.js';
import { log } from '../base/logger.js';
import { packageRoot } from '../base/package-root.js';
import { Progress } from '../base/progress.js';
import { videoKey } from '../data/video/open-video.js';
import { scoreTable } from '../eval/table.js';
import { MimicChat } from '../infer/mimic-chat.js';
import { RunConfigSchema, samplingOf } from '../train/config.js';
import { startupTable } from '../train/startup-table.js';
import { tune } from '../train/tune.js';
import { type DemoClips, makeClips } from './clips.js';
import { CurveRecorder } from './curve-recorder.js';
import { evaluateDemo, writeComments } from './evaluate-demo.js';
import { runFoundation } from './foundation/run-foundation.js';
import { type DemoReport, reportJson } from './report/report-data.js';
import { reportPage } from './report/report-page.js';

export interface DemoOptions extends BackendOptions {
  readonly outDir: string;
  readonly seed: number;
  /** A smaller corpus and fewer steps: shows the path, not the scores. */
  readonly quick: boolean;
}

const FULL = { counts: { train: 600, validation: 120, test: 120 }, effort: 1, tuneSteps: 900 };
const QUICK = { counts: { train: 60, validation: 24, test: 24 }, effort: 0.1, tuneSteps: 60 };

export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const { outDir, seed, quick } = options;
  const { counts, effort, tuneSteps } = quick ? QUICK : FULL;
  const started = performance.now();
  const timings: Record<string, number> = {};
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await work();
    timings[name] = (performance.now() - from) / 1000;
    return result;
  };
  const backend = await useBackend(options);
  log.info(`backend ${backend.name}: ${backend.reason}`);
  await mkdir(outDir, { recursive: true });
  const { config } = await loadConfig(RunConfigSchema, {
    file: join(packageRoot(), 'configs', 'demo.yaml'),
    overrides: [
      `--seed=${seed}`,
      `--out=${JSON.stringify(join(outDir, 'checkpoints'))}`,
      `--base=${JSON.stringify(join(outDir, 'base'))}`,
      `--data.train=${JSON.stringify(join(outDir, 'corpus', 'train.jsonl'))}`,
      `--data.validation=${JSON.stringify(join(outDir, 'corpus', 'validation.jsonl'))}`,
      `--train.maxSteps=${tuneSteps}`,
      // All clips stay in memory here.
      '--train.featureCache.maxGiB=0',
    ],
  });

  const made = await timed('clips', () =>
    makeClips({ dir: join(outDir, 'corpus'), seed, counts, sampling: samplingOf(config) }),
  );
  const curves = new CurveRecorder();
  const stages = await timed('foundation', () =>
    runFoundation({
      ...{ dir: join(outDir, 'base'), model: config.model, prompt: config.prompt, seed, effort },
      ...{ train: made.clips.train, validation: made.clips.validation },
      onProgress: (progress) => curves.add(progress),
    }),
  );
  curves.finish();
  for (const { name, steps, accuracy, gate, passed } of stages) {
    const verdict = passed ? 'passed' : 'below';
    log.info(
      `  ${name.padEnd(18)}${String(steps).padStart(5)} steps  accuracy ${accuracy.toFixed(3)}  ${verdict} ${gate}`,
    );
  }
  const tuned = await timed('tuning', () => tuneDemo(config, made, curves));
  const chat = await MimicChat.load(tuned.checkpointDir);
  try {
    const scores = await timed('evaluation', () => evaluateDemo(chat, made.clips.test, seed));
    const comments = await timed('comments', () => writeComments(chat, made.clips.test.slice(0, 6), seed));
    const seconds = (performance.now() - started) / 1000;
    const report: DemoReport = {
      ...{ seed, quick, backend, seconds, timings, clips: counts, stages, curves: curves.curves(), scores, comments },
    };
    await writeFileAtomic(join(outDir, 'report.json'), `${JSON.stringify(reportJson(report), null, 2)}\n`);
    await writeFileAtomic(join(outDir, 'report.html'), await reportPage(report));
    printSummary(report, outDir, tuned.checkpointDir);
    return report;
  } finally {
    chat.dispose();
  }
}

async function tuneDemo(config: Parameters<typeof tune>[0]['config'], { clips }: DemoClips, curves: CurveRecorder) {
  // The demo starts over each time; a run folder in use would be refused.
  await rm(join(config.out, config.name), { recursive: true, force: true });
  const frames = new Map([...clips.train, ...clips.validation].map(({ path, video }) => [path, video]));
  let progress: Progress | undefined;
  const result = await tune({
    config,
    resume: false,
    frames: async (input) => {
      const video = frames.get(videoKey(input));
      if (video === undefined) throw new RangeError(`runDemo: no clip ${videoKey(input)}`);
      return video;
    },
    onStart: ({ model, totalSteps, freshFrozenParts }) => {
      log.info(startupTable(model, { freshFrozenParts }));
      progress = new Progress('MIMIC tuning', { total: totalSteps });
    },
    onStep: ({ step, loss, tokens, seconds, validation }) => {
      const accuracy = validation === undefined ? {} : { accuracy: validation.accuracy };
      curves.record({ stage: 'MIMIC tuning', step, loss, ...accuracy });
      progress?.update(step, `loss ${loss.toFixed(3)}  ${Math.round(tokens / seconds)} tok/s`);
    },
  });
  progress?.end();
  curves.finish();
  return result;
}

function printSummary(report: DemoReport, outDir: string, checkpointDir: string): void {
  const { model, textOnly, majority } = report.scores;
  process.stdout.write(`${scoreTable(model, { 'without video': textOnly, majority })}\n`);
  const where = Object.entries(report.timings).map(([name, seconds]) => `${name} ${formatDuration(seconds)}`);
  log.info(`done in ${formatDuration(report.seconds)} (${where.join(', ')})`);
  log.info(`report: ${join(outDir, 'report.html')}`);
  const clip = join(outDir, 'corpus', report.comments[0]?.clip.record.video_path ?? '');
  log.info(
    [
      'next:',
      `  node bin/mimic.js choose --checkpoint ${checkpointDir} --video ${clip} --question "motion ?" --options clockwise anticlockwise hopping resting`,
      `  node bin/mimic.js comment --checkpoint ${checkpointDir} --video ${clip} --n 3`,
      `  node bin/mimic.js serve --checkpoint ${checkpointDir}`,
    ].join('\n'),
  );
}
