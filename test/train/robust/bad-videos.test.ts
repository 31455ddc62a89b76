import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BackendError } from '../../../src/base/errors.js';
import { videoKey } from '../../../src/data/video/open-video.js';
import { Pool } from '../../../src/data/video/pool.js';
import { videoError } from '../../../src/data/video/video-error.js';
import { loadCheckpoint } from '../../../src/train/checkpoint.js';
import type { FrameSource } from '../../../src/train/features/feature-source.js';
import { type TuneOptions, type TuneStep, tune } from '../../../src/train/tune.js';
import { NATIVE } from '../../backend/native.js';
import { useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { tinyRun } from '../../support/tiny-run.js';

const dir = mkdtempSync(join(tmpdir(), 'mimic-bad-'));
afterAll(() => rmSync(dir, { recursive: true }));

type Tiny = Awaited<ReturnType<typeof tinyRun>>;

/** 10 videos, 2 x 2 a step: 3 steps an epoch, 6 in all. One `bad` of 10 is more than the default share. */
async function setUp(name: string, data: object = {}, train: object = {}): Promise<Tiny> {
  const run = await tinyRun(join(dir, 'data'), { train: 10, validation: 3 }, { name, train: { epochs: 2, ...train } });
  return { ...run, config: { ...run.config, data: { ...run.config.data, badVideoMaxShare: 1, ...data } } };
}

const nameOf = (input: Parameters<FrameSource>[0]) => basename(videoKey(input), '.mp4');

/** Refuses these videos; `tries` notes each attempt at one. */
function refusing(run: Tiny, bad: readonly string[], tries: string[] = []): FrameSource {
  return async (input) => {
    if (!bad.includes(nameOf(input))) return run.frames(input);
    tries.push(nameOf(input));
    throw videoError('TRUNCATED', videoKey(input), 'the video file is cut');
  };
}

async function runAll(options: Omit<TuneOptions, 'resume'>, { resume = false, stopAt = -1 } = {}) {
  const stop = new AbortController();
  const steps: TuneStep[] = [];
  const onStep = (step: TuneStep) => {
    steps.push(step);
    if (step.step === stopAt) stop.abort();
  };
  return { result: await tune({ ...options, resume, signal: stop.signal, onStep }), steps };
}

const stepDir = (name: string, step = 6) => join(dir, 'data/checkpoints', name, `step-0000000${step}`);
const weights = (name: string) => readFileSync(join(stepDir(name), 'model.safetensors'));
const sums = (steps: readonly TuneStep[]) =>
  steps.map(({ loss, gradNorm, clips, skipped }) => [loss, gradNorm, clips, skipped]);
const BAD = ['train-2', 'train-5', 'train-6', 'validation-1'];

describe('bad videos in a run', () => {
  useBackend(NATIVE);
  checkLeaks();

  it('are left out alike when resumed, with more decoders, and when they were known before', async () => {
    const straight = await setUp('straight');
    const whole = await runAll({ ...straight, frames: refusing(straight, BAD) });
    expect(whole.result).toMatchObject({ reason: 'finished', steps: 6 });
    // Each epoch visits 10 videos, of which 3 are bad.
    expect(whole.steps.map(({ clips }) => clips).reduce((a, b) => a + b)).toBe(14);
    expect(whole.steps.map(({ skipped }) => skipped).reduce((a, b) => a + b)).toBe(6);

    const broken = await setUp('broken');
    const frames = refusing(broken, BAD);
    const first = await runAll({ ...broken, frames }, { stopAt: 2 });
    const rest = await runAll({ ...broken, frames }, { resume: true });
    expect(sums([...first.steps, ...rest.steps])).toEqual(sums(whole.steps));
    expect(weights('broken').equals(weights('straight'))).toBe(true);
    expect(rest.result.badVideos).toEqual(whole.result.badVideos);

    for (const workers of [1, 4]) {
      const many = await setUp(`workers-${workers}`, { decodeWorkers: workers, prefetchSteps: workers });
      const pool = new Pool(workers);
      let order = 0;
      const refuse = refusing(many, BAD);
      const slow: FrameSource = (input) =>
        pool.run(async () => {
          // Later ones end earlier.
          await new Promise((resolve) => setTimeout(resolve, (7 * ++order) % 5));
          return refuse(input);
        });
      expect(sums((await runAll({ ...many, frames: slow })).steps)).toEqual(sums(whole.steps));
      expect(weights(`workers-${workers}`).equals(weights('straight'))).toBe(true);
    }

    // The list that the first run wrote, given to another: nothing bad is tried, and nothing else changes.
    const quarantine = join(dir, 'data/checkpoints/straight/quarantine.jsonl');
    const tries: string[] = [];
    const told = await setUp('told', { quarantine });
    const given = await runAll({ ...told, frames: refusing(told, BAD, tries) });
    expect(tries).toEqual([]);
    expect(sums(given.steps)).toEqual(sums(whole.steps));
    expect(weights('told').equals(weights('straight'))).toBe(true);
    expect(given.result.badVideos.map(({ id, step }) => [id, step]).sort()).toEqual(BAD.map((id) => [id, null]));
  });

  it('are listed with path, reason and step in the result, the steps, the checkpoint and quarantine.jsonl', async () => {
    const run = await setUp('listed');
    const { result, steps } = await runAll({ ...run, frames: refusing(run, ['train-4', 'validation-0']) });
    const found = steps.findIndex(({ badVideos }) => badVideos.some(({ id }) => id === 'train-4'));
    const listed = [
      { id: 'train-4', path: 'videos/train-4.mp4', code: 'E_VIDEO_TRUNCATED', step: found },
      { id: 'validation-0', path: 'videos/validation-0.mp4', code: 'E_VIDEO_TRUNCATED', step: 3 },
    ];
    expect(result.badVideos).toEqual(listed);
    expect(steps.flatMap(({ badVideos }) => badVideos)).toEqual(listed);
    expect((await loadCheckpoint(stepDir('listed'))).state).toMatchObject({
      run: { badVideos: { train: { list: [listed[0]], inARow: 0 }, validation: { list: [listed[1]] } } },
    });
    const lines = readFileSync(join(dir, 'data/checkpoints/listed/quarantine.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(
      listed.map((one) => ({ ...one, status: 'quarantined' })),
    );
    // Questions about the bad video were not asked.
    const asked = steps.map(({ validation }) => validation?.questions).filter((count) => count !== undefined);
    expect(asked.every((count) => count < 8 && count > 0)).toBe(true);
  });

  it('are tried once under quarantine, and at every visit under skip', async () => {
    const triesUnder = async (badVideo: string) => {
      const run = await setUp(badVideo, { badVideo });
      const tries: string[] = [];
      const { result } = await runAll({ ...run, frames: refusing(run, ['train-4'], tries) });
      expect(result.badVideos.map(({ id }) => id)).toEqual(['train-4']);
      return tries.length;
    };
    expect(await triesUnder('quarantine')).toBe(1);
    expect(await triesUnder('skip')).toBe(2);
    // One that was mended meanwhile is trained on again.
    const run = await setUp('mended', { badVideo: 'skip' });
    const bad = ['train-4'];
    const frames = refusing(run, bad);
    const mending: FrameSource = (input) => frames(input).finally(() => nameOf(input) === 'train-4' && bad.pop());
    const { steps } = await runAll({ ...run, frames: mending });
    expect(steps.reduce((sum, { clips }) => sum + clips, 0)).toBe(19);
  });

  it('of a whole step make it count and change nothing', async () => {
    const run = await setUp('hole', {}, { batchSize: 1, accumulate: 1, maxSteps: 6, evalEverySteps: 100 });
    const { steps } = await runAll({ ...run, frames: run.frames });
    const order: string[] = [];
    const noting: FrameSource = async (input) => {
      order.push(nameOf(input));
      return run.frames(input);
    };
    await runAll({
      ...(await setUp('order', {}, { batchSize: 1, accumulate: 1, maxSteps: 6, evalEverySteps: 100 })),
      frames: noting,
    });
    const holed = await setUp('holed', {}, { batchSize: 1, accumulate: 1, maxSteps: 6, evalEverySteps: 100 });
    const after = await runAll({ ...holed, frames: refusing(holed, [order[0] ?? '']) });
    expect(after.steps[0]).toMatchObject({ step: 1, loss: Number.NaN, clips: 0, skipped: 1, tokens: 0 });
    expect(after.steps[1]?.learningRate).toBe(steps[1]?.learningRate);
    expect(after.steps[1]?.loss).not.toBe(steps[1]?.loss);
    const state = await loadCheckpoint(stepDir('holed'));
    expect(new Set(state.optimizer.map(({ step }) => step))).toEqual(new Set([5]));
  });

  it('end the run under the policy error, which goes on when it is resumed with another', async () => {
    const run = await setUp('strict', { badVideo: 'error' }, { saveEverySteps: 1, groupByLength: false });
    const frames = refusing(run, ['train-3']);
    await expect(runAll({ ...run, frames })).rejects.toMatchObject({
      code: 'E_VIDEO_TRUNCATED',
      message: expect.stringMatching(/^Record train-3: the video file is cut/),
      hint: expect.stringContaining('or set data.badVideo to quarantine'),
    });
    const straight = await setUp('lenient', {}, { groupByLength: false });
    const whole = await runAll({ ...straight, frames: refusing(straight, ['train-3']) });
    const lenient = { ...run.config, data: { ...run.config.data, badVideo: 'quarantine' as const } };
    // Where it failed in its first step there is nothing to resume.
    const resume = readdirSync(join(dir, 'data/checkpoints')).includes('strict');
    const rest = await runAll({ config: lenient, frames }, { resume });
    expect(sums(rest.steps)).toEqual(sums(whole.steps.slice(-rest.steps.length)));
    expect(weights('strict').equals(weights('lenient'))).toBe(true);
  });

  it('end the run when they are more than the share, with the list, and the last checkpoint is whole', async () => {
    const run = await setUp('share', { badVideoMaxShare: 0.2 }, { saveEverySteps: 1 });
    const failure = await runAll({ ...run, frames: refusing(run, BAD) }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'E_BAD_VIDEOS',
      message: expect.stringMatching(
        /^3 of 10 videos cannot be used, more than data.badVideoMaxShare = 0.2:\n( {2}train-\d {2}videos\/train-\d\.mp4: E_VIDEO_TRUNCATED(\n|$)){3}/,
      ),
    });
    const folder = join(dir, 'data/checkpoints/share');
    expect(readFileSync(join(folder, 'quarantine.jsonl'), 'utf8').match(/quarantined/g)).toHaveLength(3);
    const saved = readdirSync(folder).filter((name) => name.startsWith('step-'));
    for (const name of saved) await loadCheckpoint(join(folder, name));
    // Mended, or allowed, it goes on.
    const allowed = { ...run.config, data: { ...run.config.data, badVideoMaxShare: 1 } };
    const { result } = await runAll({ config: allowed, frames: refusing(run, BAD) }, { resume: saved.length > 0 });
    expect(result.reason).toBe('finished');
    expect(weights('share').equals(weights('straight'))).toBe(true);
  });

  it('end the run when too many come in a row', async () => {
    const run = await setUp('row', { badVideoMaxInARow: 5 });
    const all = Array.from({ length: 10 }, (_, i) => `train-${i}`);
    await expect(runAll({ ...run, frames: refusing(run, all) })).rejects.toMatchObject({
      code: 'E_BAD_VIDEOS',
      message: expect.stringMatching(
        /^the videos of 8 samples in a row cannot be used, more than data.badVideoMaxInARow = 5/,
      ),
      hint: expect.stringContaining('disk is mounted'),
    });
  });

  it('are not blamed for a missing ffmpeg', async () => {
    const run = await setUp('absent');
    const frames: FrameSource = async () => {
      throw new BackendError('E_FFMPEG_ABSENT', 'ffmpeg cannot be run');
    };
    await expect(runAll({ ...run, frames })).rejects.toMatchObject({ code: 'E_FFMPEG_ABSENT' });
  });

  it('are no reason to train on nothing: a list of every video is refused', async () => {
    const quarantine = join(dir, 'all.jsonl');
    const lines = Array.from({ length: 10 }, (_, i) => `{"id":"train-${i}","path":"videos/train-${i}.mp4"}\n`);
    writeFileSync(quarantine, lines.join(''));
    const run = await setUp('all', { quarantine });
    await expect(runAll(run)).rejects.toMatchObject({ code: 'E_QUARANTINE_ALL' });
  });
});
