import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../support/run-cli.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-validate-'));
});
afterEach(() => rm(folder, { recursive: true }));

const record = (id: string, more: object = {}) =>
  JSON.stringify({ id, video_path: `${id}.mp4`, comments: [{ text: 'nice', likes: 1 }], ...more });

async function validate(lines: string[], ...flags: string[]) {
  const file = join(folder, 'records.jsonl');
  await writeFile(file, `${lines.join('\n')}\n`);
  return { file, ...(await runCli('data', 'validate', file, ...flags)) };
}

describe('mimic data validate', () => {
  it('counts the records of a good file on stderr', async () => {
    const { file, ...result } = await validate([record('a'), record('b')]);
    expect(result).toEqual({ exitCode: 0, stdout: '', stderr: `${file}: 2 records with 2 comments, no error\n` });
  });

  it('gives the counts as JSON on stdout', async () => {
    const { file, exitCode, stdout } = await validate([record('a')], '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ file, records: 1, comments: 1 });
  });

  it('counts conversations by what they are about, and names what is wrong with one', async () => {
    const talk = (value: string) => [
      { from: 'human', value },
      { from: 'gpt', value: 'A cat.' },
    ];
    const lines = [
      record('a'),
      JSON.stringify({ id: 'b', image: 'b.jpg', conversations: talk('<image>\nWhat?') }),
      JSON.stringify({ id: 'c', conversations: talk('What is soft?') }),
    ];
    const { file, stderr } = await validate(lines);
    expect(stderr).toBe(
      `${file}: 3 records with 1 comments and 2 conversations (0 of video, 1 of pictures, 1 of text alone), no error\n`,
    );
    expect(JSON.parse((await validate(lines, '--json')).stdout)).toMatchObject({
      conversations: { video: 0, pictures: 1, 'text alone': 1 },
    });
    const wrong = await validate([JSON.stringify({ id: 'b', conversations: talk('<image>\nWhat?') })]);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain(`${file}:1: conversations.0.value: got <image>, and the record names none`);
  });

  it('names every wrong line and key, and exits with 2', async () => {
    const { file, exitCode, stderr } = await validate([record('a', { title: 7 }), '{"id":', record('a')]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${file}:1: title: got 7, expected a string`);
    expect(stderr).toContain(`${file}:2: not valid JSON`);
    expect(stderr).toContain(`${file}:3: id: got "a", which line 1 has already`);
  });

  it('warns of a misspelt key and goes on', async () => {
    const { exitCode, stderr } = await validate([record('a', { titel: 'x' })]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('titel: unknown key, ignored, did you mean "title"?');
  });

  it('refuses a missing file', async () => {
    const { exitCode, stderr } = await runCli('data', 'validate', join(folder, 'absent.jsonl'));
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error E_JSONL_READ: .*absent\.jsonl cannot be read: ENOENT/);
  });
});
