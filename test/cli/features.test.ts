import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { synthesizeCorpus } from '../../src/data/synth/corpus.js';
import { RunConfigSchema } from '../../src/train/config.js';
import { tune } from '../../src/train/tune.js';
import { runCli } from '../support/run-cli.js';
import { tinyRun } from '../support/tiny-run.js';

let dir = '';
let file = '';
const backend = ['--backend', 'native', '--device', 'cpu', '--threads', '1'];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mimic-features-'));
  const { paths } = await synthesizeCorpus({ dir, seed: 1, counts: { train: 3, validation: 1, test: 0 } });
  const { config } = await tinyRun(join(dir, 'run'), { train: 1, validation: 1 }, { train: { epochs: 2 } });
  const data = { ...config.data, train: paths.train, validation: paths.validation, root: dir };
  file = join(dir, 'run.yaml');
  await writeFile(file, stringify({ ...config, data }));
}, 60_000);
afterAll(() => rm(dir, { recursive: true }));

describe('mimic features', () => {
  it('fills the cache, skips what is there, and training then decodes nothing', async () => {
    const first = await runCli('features', '-c', file, '--jobs', '2', ...backend);
    expect(first.stderr).toMatch(/4 videos: 4 stored, 0 there already; .* to .*features in /);
    expect(first).toMatchObject({ exitCode: 0, stdout: '' });
    const second = await runCli('features', '-c', file, '--json', ...backend);
    expect(JSON.parse(second.stdout)).toMatchObject({
      ...{ videos: 4, hits: 4, stored: 0, notStored: 0, failed: 0, bytes: 0, failures: [] },
      dir: join(dir, 'run', 'checkpoints', 'features'),
    });
    const config = RunConfigSchema.parse((await import('yaml')).parse(await readFile(file, 'utf8')));
    const result = await tune({
      config,
      resume: false,
      frames: () => Promise.reject(new Error('decoded')),
    });
    expect(result.reason).toBe('finished');
  });

  it('lists bad videos and exits with 3', async () => {
    const records = (await readFile(join(dir, 'train.jsonl'), 'utf8')).trim().split('\n');
    const [record] = records.map((line) => JSON.parse(line));
    await writeFile(join(dir, 'broken.mp4'), 'no video');
    const extra = [
      { ...record, id: 'broken', video_path: 'broken.mp4' },
      { ...record, id: 'absent', video_path: 'absent.mp4' },
    ];
    const path = join(dir, 'bad.jsonl');
    await writeFile(path, [...records, ...extra.map((line) => JSON.stringify(line))].join('\n'));
    const result = await runCli('features', '-c', file, `--data.train=${path}`, '--json', ...backend);
    expect(result.exitCode).toBe(3);
    const { failures, hits, failed } = JSON.parse(result.stdout);
    expect({ hits, failed }).toEqual({ hits: 4, failed: 2 });
    expect(failures.map(({ id, code }: { id: string; code: string }) => [id, code])).toEqual([
      ['absent', 'E_VIDEO_NOT_FOUND'],
      ['broken', expect.stringMatching(/^E_VIDEO_/)],
    ]);
    expect(result.stderr).toContain('absent: no such file');
  });

  it('exits with 3 when the cap leaves no room, and says how much is missing', async () => {
    const flags = [`--train.featureCache.dir=${join(dir, 'small')}`, '--train.featureCache.maxGiB=4e-6'];
    const { exitCode, stderr } = await runCli('features', '-c', file, ...flags, ...backend);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/4 videos: [12] stored, 0 there already, [23] without room/);
    expect(stderr).toContain('videos have no entry: raise train.featureCache.maxGiB');
  });

  it('refuses a switched-off cache and a folder that cannot be made', async () => {
    const off = await runCli('features', '-c', file, '--train.featureCache.maxGiB=0', ...backend);
    expect(off.exitCode).toBe(2);
    expect(off.stderr).toContain('error E_FEATURE_CACHE_OFF: train.featureCache.maxGiB is 0');
    const blocked = `--train.featureCache.dir=${join(file, 'below')}`;
    const write = await runCli('features', '-c', file, blocked, ...backend);
    expect(write.exitCode).toBe(2);
    expect(write.stderr).toContain('error E_FEATURE_CACHE_WRITE');
  });
});
