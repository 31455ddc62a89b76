import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DataError } from '../../../src/base/errors.js';
import { answerProbe } from '../../../src/eval/answer-probe.js';
import type { FrameSource } from '../../../src/train/features/feature-source.js';
import { type ReporterOptions, TrainReporter } from '../../../src/train/report/train-reporter.js';
import { type TuneStep, tune } from '../../../src/train/tune.js';
import { CPU, useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { tinyRun } from '../../support/tiny-run.js';
import { temporaryFolder } from '../temporary-folder.js';

type Tiny = Awaited<ReturnType<typeof tinyRun>>;

describe('TrainReporter', () => {
  useBackend(CPU);
  checkLeaks();
  const folder = temporaryFolder();

  async function reported(
    tiny: Tiny,
    { stopAt = -1, resume = false, ...options }: Partial<ReporterOptions> & { stopAt?: number; resume?: boolean } = {},
  ) {
    const lines: string[] = [];
    const steps: TuneStep[] = [];
    const stop = new AbortController();
    const reporter = new TrainReporter({
      ...{ config: tiny.config, yaml: 'name: run\n', origins: new Map([['seed', 'flag']]) },
      ...{ chosen: { name: 'cpu', reason: 'a test' }, ranks: 1, answerProbe },
      writeJson: (line) => lines.push(line),
      ...options,
    });
    try {
      const result = await tune({
        ...tiny,
        resume,
        signal: stop.signal,
        onStart: (start) => reporter.start(start),
        onStep: (step) => {
          steps.push(step);
          reporter.step(step);
          if (step.step === stopAt) stop.abort();
        },
        onValidated: (validated) => reporter.validated(validated),
      });
      await reporter.end(result);
      return { result, steps, lines };
    } catch (error) {
      await reporter.failed(error);
      throw error;
    } finally {
      reporter.close();
    }
  }

  it('fills the run folder, across an interruption, and changes nothing of the training', async () => {
    const sizes = { train: 6, validation: 3 };
    const plain = await tinyRun(join(folder, 'a'), sizes, { name: 'plain', train: { epochs: 2, evalEverySteps: 2 } });
    const losses: number[] = [];
    await tune({ ...plain, resume: false, onStep: ({ loss }) => losses.push(loss) });

    const tiny = await tinyRun(join(folder, 'a'), sizes, { name: 'told', train: { epochs: 2, evalEverySteps: 2 } });
    const first = await reported(tiny, { stopAt: 3 });
    const rest = await reported(tiny, { resume: true });
    expect([...first.steps, ...rest.steps].map(({ loss }) => loss)).toEqual(losses);

    const dir = join(tiny.config.out, 'told');
    const read = (...path: string[]) => readFile(join(dir, ...path), 'utf8');
    expect(await readdir(dir)).toEqual(
      expect.arrayContaining([
        'MODEL_CARD.md',
        'config.sources.json',
        'config.yaml',
        'env.json',
        'events.jsonl',
        'report.html',
      ]),
    );
    expect(await readdir(join(dir, 'samples'))).toEqual(['step-00000002.md', 'step-00000004.md']);
    const { questions = 0 } = first.steps[1]?.validation ?? {};
    expect(questions).toBeGreaterThan(0);
    expect((await read('samples', 'step-00000002.md')).match(/^## /gm)?.length).toBe(Math.min(4, questions));
    expect(await readdir(join(dir, 'plots'))).toEqual(
      ['data-wait', 'gradient-norm', 'learning-rate', 'loss', 'tokens-per-second', 'validation-accuracy'].map(
        (name) => `${name}.svg`,
      ),
    );
    expect(JSON.parse(await read('env.json'))).toMatchObject({
      node: process.version,
      backend: 'cpu',
      reason: 'a test',
      ranks: 1,
    });

    const page = await read('report.html');
    // One circle a step: the curve goes on where the interruption was.
    expect(
      /<title>a step<\/title><polyline[^>]*\/>(?:<circle[^>]*\/>)*/.exec(page)?.[0].match(/<circle/g)?.length,
    ).toBe(4);
    expect(page).toContain('Finished: step 4 of 4');
    expect(page).toContain('started 2 times');
    expect(page).toMatch(/<code>model\.<wbr>lora\.<wbr>dropout<\/code>/);
    expect(page).not.toMatch(/<script|src=|href=|url\(|NaN|undefined/);
    expect(page.length).toBeLessThan(200_000);
    expect(await read('plots', 'loss.svg')).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);

    const card = await read('MODEL_CARD.md');
    expect(parse(card.split('---\n')[1] ?? '')).toMatchObject({
      ...{ library_name: 'mimic-chat', pipeline_tag: 'video-text-to-text', datasets: ['train'], metrics: ['accuracy'] },
    });
    expect(card).not.toMatch(/NaN|undefined/);
    const { steps } = rest.result;
    expect(card).toContain(`${steps} optimizer steps of 4 videos`);
  });

  it('writes one JSON object a line for programs', async () => {
    const tiny = await tinyRun(join(folder, 'b'), { train: 4, validation: 2 }, { train: { epochs: 1 } });
    const { lines } = await reported(tiny);
    const events: { event: string }[] = lines.map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(['start', 'step', 'validation', 'probe', 'end']);
    expect(events[1]).toMatchObject({ step: 1, skipped: 0, clips: 4 });
    const log = await readFile(join(tiny.config.out, 'run', 'events.jsonl'), 'utf8');
    expect(log.trim().split('\n').length).toBe(lines.length);
  });

  it('says in the folder what ended a run that could not go on, until it is resumed', async () => {
    const train = { epochs: 2, saveEverySteps: 1, evalEverySteps: 100 };
    const tiny = await tinyRun(join(folder, 'd'), { train: 4, validation: 2 }, { train });
    let decoded = 0;
    const frames: FrameSource = async (input) => {
      if (decoded++ >= 4) throw new DataError('E_VIDEO_ABSENT', 'no <file> is there');
      return tiny.frames(input);
    };
    const config = { ...tiny.config, train: { ...tiny.config.train, featureCacheMiB: 0 } };
    await expect(reported({ config, frames })).rejects.toMatchObject({ code: 'E_VIDEO_ABSENT' });
    const read = (name: string) => readFile(join(tiny.config.out, 'run', name), 'utf8');
    expect(JSON.parse((await read('events.jsonl')).trim().split('\n').at(-1) ?? '')).toMatchObject({
      event: 'failed',
      code: 'E_VIDEO_ABSENT',
      message: 'no <file> is there',
    });
    const page = await read('report.html');
    expect(page).toContain('Failed: step 1 of 2');
    expect(page).toMatch(/<b>E_VIDEO_ABSENT<\/b> no &lt;file&gt; is there/);
    await reported(tiny, { resume: true });
    expect(await read('report.html')).not.toMatch(/E_VIDEO_ABSENT|Failed/);
  });

  it('lets the run go on when the report cannot be made', async () => {
    const tiny = await tinyRun(
      join(folder, 'c'),
      { train: 4, validation: 2 },
      { train: { epochs: 2, evalEverySteps: 1 } },
    );
    const { result } = await reported(tiny, {
      answerProbe: () => Promise.reject(new Error('no answer')),
    });
    expect(result).toMatchObject({ reason: 'finished', steps: 2 });
  });
});
