/** bin/mimic.js as a user starts it: compiled sources, a process of its own. `npm test` compiles first. */
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packageRoot, packageVersion } from '../../src/base/package-root.js';
import { COMMANDS } from '../../src/cli/registry.js';

const bin = join(packageRoot(), 'bin', 'mimic.js');

function mimic(script: string, ...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...argv], { encoding: 'utf8' });
  return { exitCode: status, stdout, stderr };
}

/** Runs `mimic` with each list of words in one new process: whether TF.js, which takes most of a start, was loaded. */
function loadsTensors(argvs: readonly (readonly string[])[], prelude = ''): boolean {
  const script = `${prelude}
    import { createRequire } from 'node:module';
    const { main } = await import(${JSON.stringify(pathToFileURL(join(packageRoot(), 'dist', 'cli', 'main.js')).href)});
    for (const argv of ${JSON.stringify(argvs)}) await main(argv, { out() {}, err() {} });
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    console.log(JSON.stringify(loaded.some((path) => path.includes('@tensorflow'))));`;
  const options = { encoding: 'utf8', cwd: packageRoot() } as const;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
  expect(stderr).toBe('');
  return JSON.parse(stdout) === true;
}

describe('bin/mimic.js', () => {
  it('prints the version and the exit code of an unknown command', () => {
    expect(mimic(bin, '--version')).toMatchObject({ exitCode: 0, stdout: `${packageVersion()}\n` });
    expect(mimic(bin, 'trian')).toMatchObject({ exitCode: 2, stdout: '' });
  });

  it('says how to build when the sources are not compiled', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mimic-bin-'));
    await mkdir(join(folder, 'bin'));
    await cp(bin, join(folder, 'bin', 'mimic.mjs'));
    const result = mimic(join(folder, 'bin', 'mimic.mjs'), 'train');
    await rm(folder, { recursive: true });
    const stderr = 'error E_NOT_BUILT: the TypeScript sources are not compiled\n  hint: npm run setup\n';
    expect(result).toEqual({ exitCode: 2, stdout: '', stderr });
  });
});

describe('the help', () => {
  it('of every command loads no tensor library', () => {
    expect(loadsTensors(Object.keys(COMMANDS).map((name) => [...name.split(' '), '--help']))).toBe(false);
    expect(loadsTensors([], "await import('@tensorflow/tfjs-core');")).toBe(true);
  });
});
