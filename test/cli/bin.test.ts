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

/** Runs `mimic` with each list of words in one new process: its CPU time, Node's start included, and whether TF.js was loaded. */
function costOf(argvs: readonly (readonly string[])[], prelude = ''): { cpuMs: number; loadsTensors: boolean } {
  const script = `${prelude}
    import { createRequire } from 'node:module';
    const { main } = await import(${JSON.stringify(pathToFileURL(join(packageRoot(), 'dist', 'cli', 'main.js')).href)});
    for (const argv of ${JSON.stringify(argvs)}) await main(argv, { out() {}, err() {} });
    const { user, system } = process.cpuUsage();
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    const loadsTensors = loaded.some((path) => path.includes('@tensorflow'));
    console.log(JSON.stringify({ cpuMs: (user + system) / 1000, loadsTensors }));`;
  const options = { encoding: 'utf8', cwd: packageRoot() } as const;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as { cpuMs: number; loadsTensors: boolean };
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
  it.each([[['--help']], [['train', '--help']], [['serve', '--help']]])(
    'of mimic %j costs less than 300 ms of CPU',
    (argv) => {
      // CPU time, because other tests run beside this one. The best of three: 154 and 205 ms measured at a load of 6 on two cores.
      const runs = [1, 2, 3].map(() => costOf([argv]).cpuMs);
      expect(Math.min(...runs)).toBeLessThan(300);
    },
  );

  it('of every command loads no tensor library', () => {
    expect(costOf(Object.keys(COMMANDS).map((name) => [...name.split(' '), '--help'])).loadsTensors).toBe(false);
    expect(costOf([], "await import('@tensorflow/tfjs-core');").loadsTensors).toBe(true);
  });
});
