import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { readQuestions, writeQuestions } from '../../src/data/questions-file.js';
import { drawFacts } from '../../src/data/synth/facts.js';
import { makeRecord } from '../../src/data/synth/record.js';
import { buildBenchmark } from '../../src/data/tasks/benchmark.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mimic-questions-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('question files', () => {
  it('round-trip a benchmark without a warning', async () => {
    const rng = new Rng(1, 'questions');
    const records = Array.from({ length: 40 }, (_, i) => makeRecord(drawFacts(rng), rng, `v${i}`));
    const framesOnly = { ...records[0], id: 'frames', video_path: undefined, frames: ['a.png'], frame_times_sec: [0] };
    const { questions, comments } = buildBenchmark([...records, { tags: [], comments: [], ...framesOnly }], 5);
    const path = join(dir, 'bench.jsonl');
    await writeQuestions(path, { questions, comments });
    const warnings: string[] = [];
    expect(await readQuestions(path, (message) => warnings.push(message))).toEqual({ questions, comments });
    expect(warnings).toEqual([]);
    expect(comments.at(-1)).toMatchObject({ videoPath: '', frames: ['a.png'], frameTimesSec: [0] });
  });

  it('refuse what is no question, naming line, key, got and expected', async () => {
    const base = { id: 'q', videoId: 'v', videoPath: 'v.mp4', task: 'title', options: ['a', 'b', 'c', 'd'], answer: 0 };
    const path = join(dir, 'bad.jsonl');
    const rows = [
      { ...base, answer: 4 },
      { ...base, id: 'q2', options: ['a', 'b', 'c'] },
      { ...base, id: 'q3', options: ['a', 'b', 'c', 'a'] },
      { ...base, id: 'q4', task: 'titel' },
      { id: 'q5', videoId: 'v', videoPath: 'v.mp4', task: 'comment', references: [] },
      { ...base, answr: 1 },
    ];
    await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'));
    const warnings: string[] = [];
    const error = await readQuestions(path, (message) => warnings.push(message)).catch((thrown: unknown) => thrown);
    const message = error instanceof Error ? error.message : '';
    expect(message).toContain(`${path}:1: answer: got 4, expected at most 3`);
    expect(message).toContain(`${path}:2: options: got ["a","b","c"], expected at least 4 items`);
    expect(message).toContain(`${path}:3: options: expected four different options`);
    expect(message).toContain(`${path}:4: task: got "titel", expected one of "title"`);
    expect(message).toContain(`${path}:5: references: got [], expected at least 1 items`);
    expect(message).toContain(`${path}:6: id: got "q", which line 1 has already`);
    expect(warnings).toEqual([`${path}:6: answr: unknown key, ignored, did you mean "answer"?`]);
  });
});
