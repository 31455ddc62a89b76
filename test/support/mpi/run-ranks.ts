/** Programs of test/distributed/ranks under a real mpirun on this machine: shared memory only, more ranks than cores. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

const FLAGS = [
  '--allow-run-as-root',
  '--oversubscribe',
  ...['--bind-to', 'none'],
  ...['--mca', 'btl', 'self,vader'],
  // Containers often forbid reading another process's memory; then the messages of the attempt would fill the output.
  ...['--mca', 'btl_vader_single_copy_mechanism', 'none'],
  ...['--mca', 'mpi_yield_when_idle', '1'],
];
/** What hangs is ended: far above what a run takes on a machine that does other things too. */
const TIMEOUT_MS = 120_000;

/** Of a test, which may start several runs, and of a hook. */
export const RANKS_TIMEOUT_MS = 300_000;

/** Why the tests with real MPI cannot run here, or undefined. */
export function whyNoMpi(): string | undefined {
  const { status, stdout } = spawnSync('mpirun', ['--version'], { encoding: 'utf8' });
  if (status === 0 && stdout.includes('Open MPI')) return undefined;
  return 'no Open MPI: mpirun is not on the PATH (Debian: apt install openmpi-bin libopenmpi-dev)';
}

/** Compiles the programs, with what they import, into `folder`. @returns their paths by name */
export function compileRanks<N extends string>(folder: string, names: readonly N[]): Record<N, string> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  // The kernels' sources, which the native backend reads beside its own code.
  const notTypeScript = (path: string) => !path.endsWith('.ts');
  cpSync(join(root, 'src/backend'), join(folder, 'src/backend'), { recursive: true, filter: notTypeScript });
  const sources = names.map((name) => join(root, 'test/distributed/ranks', `${name}.ts`));
  const options = ['--ignoreConfig', '--noCheck', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, ...options, '--rootDir', root, '--outDir', folder, ...sources], {
    stdio: 'inherit',
  });
  const pathOf = (name: N) => [name, join(folder, 'test/distributed/ranks', `${name}.js`)];
  return Object.fromEntries(names.map(pathOf)) as Record<N, string>;
}

export interface RanksResult {
  readonly exitCode: number | null;
  /** When mpirun ended, of `Date.now()`. */
  readonly endedMs: number;
  /** What the ranks and mpirun printed. */
  readonly output: string;
}

export interface StartedRanks {
  /** mpirun. */
  readonly child: ChildProcess;
  readonly result: Promise<RanksResult>;
}

/** Starts `count` ranks of `node ...words`. @param flags more of mpirun's */
export function startRanks(
  count: number,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
): StartedRanks {
  // Of its own: two mpiruns that start at once race for the common one, and one of them ends with "File exists".
  const session = mkdtempSync(join(tmpdir(), 'mpi-'));
  const place = ['--mca', 'orte_tmpdir_base', session];
  const child = spawn('mpirun', [...FLAGS, ...place, ...flags, '-n', String(count), process.execPath, ...words], {
    env: { ...process.env, OMP_NUM_THREADS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const result = new Promise<RanksResult>((done, fail) => {
    child.on('error', fail);
    child.on('close', (exitCode) => {
      rmSync(session, { recursive: true, force: true });
      done({ exitCode, output, endedMs: Date.now() });
    });
  });
  return { child, result };
}

/** Runs `count` ranks of a compiled program to their end. */
export function runRanks(
  count: number,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RanksResult> {
  return startRanks(count, [program, ...args], env).result;
}
