import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../support/run-cli.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-synth-'));
});
afterEach(() => rm(folder, { recursive: true }));

const synth = (...flags: string[]) =>
  runCli('data', 'synth', '--out', folder, '--train', '2', '--validation', '1', '--test', '0', ...flags);

describe('mimic data synth', () => {
  it('writes the asked number of clips and records, and keeps clips that are there', async () => {
    const first = await synth();
    expect(first.exitCode).toBe(0);
    expect(first.stderr).toContain('clips 3/3 100%');
    expect(first.stderr).toContain(`${join(folder, 'train.jsonl')}\n`);
    const videos = (await readdir(join(folder, 'videos'))).filter((name) => name.endsWith('.mp4'));
    expect(videos.sort()).toEqual(['train-00000.mp4', 'train-00001.mp4', 'validation-00000.mp4']);
    expect((await readFile(join(folder, 'train.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(2);
    expect((await synth()).stderr).toContain('clips 3/3 100%  3 were there');
  });

  it('writes records that mimic data validate accepts, and its files as JSON', async () => {
    const { stdout } = await synth('--json', '--seed', '3');
    const { seed, counts, paths } = JSON.parse(stdout) as { seed: number; counts: object; paths: { train: string } };
    expect({ seed, counts }).toEqual({ seed: 3, counts: { train: 2, validation: 1, test: 0 } });
    expect(await runCli('data', 'validate', paths.train, '-q')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });
});
