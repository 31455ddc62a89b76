import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/base/config.js';
import { RunConfigSchema } from '../../src/train/config.js';
import { runCli } from '../support/run-cli.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-print-'));
  file = join(folder, 'run.yaml');
  await writeFile(file, 'name: mine\nmodel:\n  lora:\n    rank: 4\n    targets: [wo]\n');
});
afterEach(() => rm(folder, { recursive: true }));

describe('mimic config print', () => {
  it('shows each value with its origin', async () => {
    const { exitCode, stdout } = await runCli('config', 'print', '-c', file, '--train.learningRate=1e-3');
    expect(exitCode).toBe(0);
    const lines = stdout.split('\n').map((line) => line.trim());
    expect(lines).toContain(`name: mine # ${file}:1`);
    expect(lines).toContain(`rank: 4 # ${file}:4`);
    expect(lines).toContain(`targets: [ wo ] # ${file}:5`);
    expect(lines).toContain('learningRate: 0.001 # flag');
    expect(lines).toContain('epochs: 50 # default');
  });

  it('prints a file that loads to the same settings, under their SHA-256', async () => {
    const { stdout } = await runCli('config', 'print', '-c', file);
    const printed = join(folder, 'printed.yaml');
    await writeFile(printed, stdout);
    const original = await loadConfig(RunConfigSchema, { file });
    const reloaded = await loadConfig(RunConfigSchema, { file: printed });
    expect(reloaded.config).toEqual(original.config);
    expect(stdout.split('\n')[0]).toBe(`# SHA-256 of the resolved settings: ${original.sha256}`);
  });

  it('gives settings, origins and hash as JSON', async () => {
    const { stdout } = await runCli('config', 'print', '-c', file, '--json');
    const { config, sha256 } = await loadConfig(RunConfigSchema, { file });
    expect(JSON.parse(stdout)).toMatchObject({ sha256, config, origins: { name: `${file}:1`, seed: 'default' } });
  });

  it('reports a misspelt key with exit code 2', async () => {
    const { exitCode, stderr } = await runCli('config', 'print', '-c', file, '--train.learningrate=1');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--train.learningrate: unknown key, did you mean "learningRate"? (keys of train: parts,');
  });
});
