import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../support/run-cli.js';

let folder: string;
let records: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-bench-'));
  await mkdir(join(folder, 'data'));
  records = join(folder, 'data', 'records.jsonl');
  const topics = ['food', 'travel', 'sport', 'music', 'craft', 'pets'];
  const rows = topics.map((topic, i) => ({ id: `v${i}`, video_path: `videos/v${i}.mp4`, topic }));
  await writeFile(records, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});
afterEach(() => rm(folder, { recursive: true }));

async function build(...flags: string[]) {
  const out = join(folder, 'bench.jsonl');
  const result = await runCli('bench', 'build', '--records', records, '--out', out, ...flags);
  const rows = (await readFile(out, 'utf8'))
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  return { out, rows, ...result };
}

describe('mimic bench build', () => {
  it('writes the questions with video paths relative to the file it writes', async () => {
    const { rows, exitCode } = await build();
    expect(exitCode).toBe(0);
    expect(rows).toHaveLength(6);
    expect(rows[0]).toMatchObject({ videoId: 'v0', videoPath: join('data', 'videos', 'v0.mp4'), task: 'topic' });
  });

  it('says how many were built, and why others were not', async () => {
    const { out, stderr } = await build();
    expect(stderr).toContain(`${out}: 6 questions and 0 comment requests from 6 records\n`);
    expect(stderr).toContain('  not built: title: no-title (6)\n');
  });

  it('repeats itself for a seed and differs for another', async () => {
    const [first, again, other] = [await build('--seed', '1'), await build('--seed', '1'), await build('--seed', '2')];
    expect(again.rows).toEqual(first.rows);
    expect(other.rows).not.toEqual(first.rows);
  });

  it('gives the counts as JSON', async () => {
    const { out, stdout } = await build('--json');
    expect(JSON.parse(stdout)).toMatchObject({
      out,
      records: 6,
      questions: 6,
      comments: 0,
      skipped: { 'title: no-title': 6 },
    });
  });
});
