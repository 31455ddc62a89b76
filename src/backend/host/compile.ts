/**
 * Compiles the kernels with the machine's C++ compiler at first use.
 *
 * The library is kept under a hash of everything it depends on: sources, compiler, flags and processor. Several
 * processes may build at once: each works in a folder of its own and the first to rename it wins.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeDirectoryAtomic } from '../../base/atomic-file.js';
import { BackendError } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';
import { readKernelSources } from '../kernel-sources.js';
import { hasStoredKernels, parseSignatures, type Signature } from '../signatures.js';

const run = promisify(execFile);

/** Not -ffast-math: masks rely on infinities, and results must not depend on how a sum was vectorised. */
const COMPILE_FLAGS = ['-std=c++17', '-O3', '-march=native', '-fPIC', '-fopenmp'];
const MATH_FLAGS = ['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast'];
/** Without nodelete the process crashes at exit: OpenMP's threads outlive an unloaded library. */
const LINK_FLAGS = ['-shared', '-fopenmp', ...(process.platform === 'linux' ? ['-Wl,-z,nodelete'] : [])];
const STDERR_TAIL_CHARS = 2000;
const LIBRARY = 'kernels.so';

export interface BuiltLibrary {
  readonly path: string;
  readonly signatures: readonly Signature[];
  /** The first line of the compiler's version. */
  readonly compiler: string;
}

/** $CXX, else the first of g++, clang++, c++ that answers. */
export async function findCompiler(): Promise<{ command: string[]; version: string }> {
  const chosen = process.env['CXX']?.trim();
  const candidates = chosen ? [chosen.split(/\s+/)] : [['g++'], ['clang++'], ['c++']];
  const failures: unknown[] = [];
  for (const command of candidates) {
    const [program = '', ...rest] = command;
    try {
      const { stdout } = await run(program, [...rest, '--version']);
      return { command, version: stdout.split('\n')[0] ?? '' };
    } catch (error) {
      failures.push(error);
    }
  }
  throw new BackendError(
    'E_COMPILER_ABSENT',
    `native backend: no C++ compiler; tried ${candidates.map((command) => command.join(' ')).join(', ')}`,
    {
      hint: 'install one (Debian: apt install g++; macOS: brew install gcc and set CXX=g++-14) or run with --backend wasm',
      cause: new AggregateError(failures),
    },
  );
}

/** -march=native means another processor, another library. */
async function processorIdentity(): Promise<string> {
  const model = cpus()[0]?.model ?? process.arch;
  if (!existsSync('/proc/cpuinfo')) return model;
  const info = await readFile('/proc/cpuinfo', 'utf8');
  return `${model} ${/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1] ?? ''}`;
}

async function compile(command: readonly string[], parameters: readonly string[]): Promise<void> {
  const [program = '', ...rest] = command;
  try {
    await run(program, [...rest, ...parameters], { maxBuffer: 2 ** 26 });
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    throw new BackendError(
      'E_COMPILE_FAILED',
      `native backend: ${command.join(' ')} failed on ${parameters.at(-1)}:\n${stderr.slice(-STDERR_TAIL_CHARS)}`,
      { hint: 'try another compiler with CXX=..., or run with --backend wasm', cause: error },
    );
  }
}

/** Runs `jobs` at most `availableParallelism()` at a time. */
async function inParallel<T>(items: readonly T[], job: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await job(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

export function cacheFolder(name = 'kernels'): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mimic-chat', name);
}

/**
 * The kernel library, compiled now unless it already was.
 *
 * @throws BackendError E_COMPILER_ABSENT, or E_COMPILE_FAILED with the end of the compiler's messages
 */
export async function buildLibrary(): Promise<BuiltLibrary> {
  const [sources, compiler, processor] = await Promise.all([
    Promise.all([readKernelSources('kernels'), readKernelSources('host')]).then((lists) => lists.flat()),
    findCompiler(),
    processorIdentity(),
  ]);
  const flags = [...COMPILE_FLAGS, ...MATH_FLAGS];
  const identity = [compiler.command, compiler.version, flags, LINK_FLAGS, processor];
  const hash = sha256(JSON.stringify([identity, sources.map(({ name, text }) => [name, text])]));
  const folder = join(cacheFolder(), hash.slice(0, 32));
  const path = join(folder, LIBRARY);
  const units = sources.filter(({ name }) => !name.endsWith('.h'));
  const compilations = units.flatMap(({ name, path, text }) => [
    { path, object: `${name}.o`, defines: [] },
    ...(hasStoredKernels(text) ? [{ path, object: `${name}.bf16.o`, defines: ['-DSTORE_BF16'] }] : []),
  ]);

  if (!existsSync(path)) {
    try {
      await writeDirectoryAtomic(folder, async (build) => {
        const objects = compilations.map(({ object }) => join(build, object));
        await inParallel(compilations, ({ path: source, object, defines }) =>
          compile(compiler.command, [...flags, ...defines, '-x', 'c++', '-o', join(build, object), '-c', source]),
        );
        await compile(compiler.command, [...LINK_FLAGS, '-o', join(build, LIBRARY), ...objects]);
      });
    } catch (error) {
      // Another process may have finished the same build first; then its library is ours.
      if (error instanceof BackendError || !existsSync(path)) throw error;
    }
  }
  return { path, signatures: units.flatMap((unit) => parseSignatures(unit.text)), compiler: compiler.version };
}
