import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { writeQuestions } from '../../src/data/questions-file.js';
import { runEval } from '../../src/eval/run-eval.js';
import { makeClip, writeTinyFolder } from '../infer/tiny-folder.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { question } from './question.js';

const options = ['red cat', 'blue dog', 'green cat', 'so nice'];

describe('runEval', () => {
  useBackend(CPU);
  checkLeaks();
  let folder: string;
  let checkpoint: string;
  let bench: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mimic-eval-'));
    checkpoint = join(folder, 'best');
    bench = join(folder, 'bench.jsonl');
    await writeTinyFolder(checkpoint);
    for (const seed of [1, 2]) makeClip(join(folder, `v${seed}.mp4`), seed);
    await writeQuestions(bench, {
      questions: [
        question('v1:title', 'v1', { options, answer: 1 }),
        question('v2:title', 'v2', { options, answer: 2 }),
        question('v1:topic', 'v1', { options, answer: 3, task: 'topic' }),
      ],
      comments: [{ id: 'v1:comment', videoId: 'v1', videoPath: 'v1.mp4', task: 'comment', references: ['so nice'] }],
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  let printed = '';
  const run = (more: Partial<Parameters<typeof runEval>[0]> = {}) => {
    printed = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      printed += String(chunk);
      return true;
    });
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    return runEval({ bench, checkpoint, ...more });
  };
  afterEach(() => vi.restoreAllMocks());
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

  it('writes raw probabilities, scores, baselines, settings and weights hash, and prints a table', async () => {
    const out = join(folder, 'full.json');
    expect(await run({ out, comments: true })).toBe(0);
    const { settings, scores, baselines, answers, comments } = read(out);
    expect(answers.map(({ questionId }: { questionId: string }) => questionId)).toEqual([
      'v1:title',
      'v2:title',
      'v1:topic',
    ]);
    for (const { probabilities } of answers) {
      expect(probabilities.reduce((a: number, b: number) => a + b, 0)).toBeCloseTo(1, 6);
    }
    expect(scores.micro.asked).toBe(3);
    expect(Object.keys(baselines)).toEqual(['random', 'majority', 'longest', 'text-only']);
    expect(settings.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(comments.metrics).toMatchObject({ written: 1, failed: 0 });
    expect(printed).toContain('micro (all questions)');
    expect(existsSync(`${out}.partial.jsonl`)).toBe(false);
  });

  it('goes on from the answers of a killed run, and gives the result of an uninterrupted one', async () => {
    const whole = join(folder, 'whole.json');
    await run({ out: whole });
    const { settings, answers } = read(whole);
    const out = join(folder, 'resumed.json');
    const marked = { ...answers[0], probabilities: [0.5, 0.25, 0.125, 0.125], choice: 0 };
    writeFileSync(
      `${out}.partial.jsonl`,
      `${[{ settings }, marked].map((line) => JSON.stringify(line)).join('\n')}\n{"cut`,
    );
    await run({ out });
    expect(read(out).answers).toEqual([marked, ...answers.slice(1)]);
  });

  it('refuses to go on with other weights', async () => {
    const out = join(folder, 'other.json');
    writeFileSync(`${out}.partial.jsonl`, `${JSON.stringify({ settings: { weightsSha256: 'other' } })}\n`);
    await expect(run({ out })).rejects.toThrow(
      'other.json.partial.jsonl holds answers of other settings: weightsSha256: got ',
    );
  });

  it('counts a video that is missing and returns 3', async () => {
    const path = join(folder, 'missing.jsonl');
    const questions = [question('v1:title', 'v1', { options }), question('v9:title', 'v9', { options })];
    await writeQuestions(path, { questions, comments: [] });
    const out = join(folder, 'missing.json');
    expect(await run({ bench: path, out })).toBe(3);
    const { scores, answers } = read(out);
    expect(scores.failed).toBe(1);
    expect(answers[1]).toMatchObject({ choice: null, error: { code: 'E_VIDEO_NOT_FOUND' } });
    expect(printed).toContain('1 questions failed and count as wrong');
  });

  it('evaluates a baseline without a checkpoint, and compares two results', async () => {
    const out = join(folder, 'majority.json');
    expect(await run({ checkpoint: undefined, model: 'majority', out })).toBe(0);
    expect(await run({ checkpoint: undefined, model: 'longest', compare: out, json: true })).toBe(0);
    expect(JSON.parse(printed).comparison).toMatchObject({ questions: 3, videos: 2 });
    await expect(run({ checkpoint: undefined, model: 'nobody' })).rejects.toThrow(
      'model: got nobody, expected one of random, majority, longest',
    );
    await expect(run({ compare: bench, checkpoint: undefined })).rejects.toThrow(`${bench}: `);
  });

  it('refuses a file without choice questions', async () => {
    const path = join(folder, 'empty.jsonl');
    await writeQuestions(path, { questions: [], comments: [] });
    await expect(run({ bench: path })).rejects.toThrow('got no choice questions, expected at least one');
  });
});
