/**
 * Compiles the stub libcuda, libnvrtc and libcublasLt with g++, once for each state of their sources.
 *
 * The folder holds the three libraries under the names that the backend looks for, `include/` with the emulator's
 * headers, and `modules/`, where the stub compiler keeps what it has compiled.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism, cpus, homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { writeDirectoryAtomic } from '../../../src/base/atomic-file.js';
import { sha256 } from '../../../src/base/hash.js';
import { packageRoot } from '../../../src/base/package-root.js';

const run = promisify(execFile);

const SOURCES = join(packageRoot(), 'test', 'support', 'cuda');
const SCHEDULER = ['scheduler.cpp', 'fiber.cpp', 'faults.cpp'];
/** What a kernel is compiled with; warp-emulation.h is the part for operations of whole warps. */
const KERNEL_HEADERS = [
  'emulator.h',
  'runtime.h',
  'emulated-math.h',
  'emulated-shared-memory.h',
  'emulated-warp.h',
  'warp-emulation.h',
];
const FLAGS = ['-std=c++17', '-march=native', '-fPIC', '-fvisibility=hidden'];
/** Only these run often enough to be worth the time to optimise them. */
const HOT = new Set(['scheduler.cpp', join('cublaslt', 'multiply.cpp')]);
const LOCK_POLL_MS = 100;
/** Ten times what a build takes. */
const STALE_LOCK_MS = 200_000;
/** cuBLASLt's finds the driver's beside it. */
const NEEDS_DRIVER = ['-L.', '-l:libcuda.so.1', '-Wl,-rpath,$ORIGIN'];

/** A compiler whose thread-local variables the emulator knows to place: clang does not take its flags. */
function compiler(): string {
  const chosen = process.env['CXX']?.trim();
  return chosen?.includes('g++') && !chosen.includes('clang') ? chosen : 'g++';
}

async function sourcesOf(folder: string): Promise<string[]> {
  const names = await readdir(join(SOURCES, folder));
  return names
    .filter((name) => /\.(cpp|h)$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** -march=native means another processor, another library. */
async function processorIdentity(): Promise<string> {
  const model = cpus()[0]?.model ?? process.arch;
  if (!existsSync('/proc/cpuinfo')) return model;
  const info = await readFile('/proc/cpuinfo', 'utf8');
  return `${model} ${/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1] ?? ''}`;
}

async function inParallel<T>(items: readonly T[], job: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await job(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** Whether the lock is ours now. One that its owner left behind is broken. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch {
    const age = Date.now() - (await stat(lock).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > STALE_LOCK_MS) await rm(lock, { recursive: true, force: true });
    return false;
  }
}

/** The folder with the three libraries; rejects with the compiler's messages. */
export async function buildStubCuda(): Promise<{ folder: string }> {
  const [program = '', ...words] = compiler().split(/\s+/);
  const [driver, nvrtc, cublas, processor, version] = await Promise.all([
    sourcesOf('driver'),
    sourcesOf('nvrtc'),
    sourcesOf('cublaslt'),
    processorIdentity(),
    run(program, [...words, '--version']),
  ]);
  const headers = KERNEL_HEADERS.filter((name) => existsSync(join(SOURCES, name)));
  const shared = [...SCHEDULER, 'scheduler.h', 'divergence.h', 'fiber.h', 'faults.h', 'services.h'];
  const names = [...new Set([...headers, ...shared, ...driver, ...nvrtc, ...cublas])].sort();
  const texts = await Promise.all(names.map(async (name) => [name, await readFile(join(SOURCES, name), 'utf8')]));
  const hash = sha256(JSON.stringify([compiler(), version.stdout, FLAGS, [...HOT], NEEDS_DRIVER, processor, texts]));
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mimic-chat', 'stub-cuda');
  const folder = join(cache, hash.slice(0, 32));
  const isBuilt = () => existsSync(join(folder, 'libcuda.so.1'));
  // Test files start together: one builds, the others wait.
  await mkdir(cache, { recursive: true });
  const lock = `${folder}.lock`;
  while (!isBuilt() && !(await takeLock(lock))) await setTimeout(LOCK_POLL_MS);
  if (isBuilt()) return { folder };

  const units = [...SCHEDULER, ...driver, ...nvrtc, ...cublas].filter((name) => name.endsWith('.cpp'));
  const objectOf = (name: string) => `${name.replaceAll('/', '-')}.o`;
  try {
    await writeDirectoryAtomic(folder, async (build) => {
      const compile = (parameters: readonly string[]) =>
        run(program, [...words, ...FLAGS, ...parameters], { cwd: build, maxBuffer: 2 ** 26 });
      const link = (library: string, sources: readonly string[], extra: readonly string[]) =>
        compile([
          '-shared',
          '-o',
          library,
          `-Wl,-soname,${library}`,
          ...sources.filter((name) => name.endsWith('.cpp')).map(objectOf),
          ...extra,
        ]);
      await inParallel(units, (name) =>
        compile([
          `-DSTUB_COMPILER="${compiler()}"`,
          HOT.has(name) ? '-O3' : '-O1',
          '-c',
          join(SOURCES, name),
          '-o',
          objectOf(name),
        ]),
      );
      await link('libcuda.so.1', [...SCHEDULER, ...driver], ['-ldl']);
      await Promise.all([link('libnvrtc.so.12', nvrtc, ['-ldl']), link('libcublasLt.so.12', cublas, NEEDS_DRIVER)]);
      await mkdir(join(build, 'include'));
      await Promise.all(headers.map((name) => copyFile(join(SOURCES, name), join(build, 'include', name))));
    });
  } catch (error) {
    // A lock that was taken for left behind may have been in use; then the other's libraries are ours.
    if (!isBuilt()) throw error;
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
  return { folder };
}
