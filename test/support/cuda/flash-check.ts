/** Builds flash-check.cpp and the kernels it runs, once for each state of their sources, and runs cases through it. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parseSignatures } from '../../../src/backend/signatures.js';
import { writeDirectoryAtomic } from '../../../src/base/atomic-file.js';
import { sha256 } from '../../../src/base/hash.js';
import { packageRoot } from '../../../src/base/package-root.js';

const run = promisify(execFile);
const SUPPORT = join(packageRoot(), 'test', 'support', 'cuda');
const BACKEND = join(packageRoot(), 'src', 'backend');
const PROGRAM = ['flash-check.cpp', 'scheduler.cpp', 'fiber.cpp', 'faults.cpp'];
/** Without extern TLS wrappers: emulated shared memory is thread-local. */
const FLAGS = ['-std=c++17', '-O2', '-fPIC', '-fvisibility=hidden', '-fno-extern-tls-init', '-Wno-attributes'];
const MODULES = [
  { name: 'flash-forward', source: 'cuda/flash-forward.cu' },
  { name: 'flash-backward-keys', source: 'cuda/flash-backward-keys.cu' },
  { name: 'flash-backward-queries', source: 'cuda/flash-backward-queries.cu' },
  { name: 'flash-decode', source: 'cuda/flash-decode.cu' },
  { name: 'attention-rows', source: 'cuda/attention-rows.cu' },
  { name: 'attention-rows-bf16', source: 'cuda/attention-rows.cu', bf16: true },
  { name: 'reduce', source: 'kernels/reduce.cu' },
  { name: 'top-k', source: 'kernels/top-k.cu' },
] as const;

const LOCK_POLL_MS = 100;
const LONGEST_BUILD_MS = 120_000;

async function sourcesHash(): Promise<string> {
  const folders = [SUPPORT, join(BACKEND, 'cuda'), join(BACKEND, 'kernels')];
  const texts: string[] = [];
  for (const folder of folders)
    for (const name of (await readdir(folder)).sort())
      if (/\.(cpp|h|cu)$/.test(name)) texts.push(name, await readFile(join(folder, name), 'utf8'));
  return sha256(JSON.stringify([MODULES, FLAGS, texts])).slice(0, 32);
}

/** The source with the emulator before it and, behind it, the list of the kernels that this compilation defines. */
async function moduleText(source: string, bf16: boolean): Promise<string> {
  const path = join(BACKEND, source);
  const signatures = parseSignatures(await readFile(path, 'utf8'));
  const names = new Set(signatures.map(({ name }) => name));
  const isStoredBf16 = (name: string) => name.endsWith('_bf16') && names.has(name.replace(/_bf16$/, ''));
  const exported = [...names].filter((name) => isStoredBf16(name) === bf16);
  return `#include "emulator.h"
#include "${path}"
extern "C" { emulation::Runtime* emulation_runtime; }
${exported.map((name) => `EMULATION_EXPORT(${name}, 0)`).join('\n')}
`;
}

async function compileAll(folder: string): Promise<void> {
  const compile = (...parameters: string[]) =>
    run('g++', [...FLAGS, '-I', SUPPORT, ...parameters], { cwd: folder, maxBuffer: 2 ** 26 });
  const program = compile(...PROGRAM.map((name) => join(SUPPORT, name)), '-ldl', '-o', 'flash-check');
  for (const module of MODULES) {
    await writeFile(join(folder, `${module.name}.cpp`), await moduleText(module.source, 'bf16' in module));
    // As NVRTC is told: no header defines it there.
    const defines = ['-DINFINITY=(1.0f/0.0f)', ...('bf16' in module ? ['-DSTORE_BF16'] : [])];
    await compile('-shared', ...defines, `${module.name}.cpp`, '-o', `${module.name}.so`);
  }
  await program;
}

/** Test files start together: one builds, the others wait. A lock that was left behind only costs a build more. */
async function build(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mimic-chat', 'flash-check');
  const folder = join(cache, await sourcesHash());
  await mkdir(cache, { recursive: true });
  const lock = `${folder}.lock`;
  const deadline = Date.now() + LONGEST_BUILD_MS;
  const locked = async () => {
    const taken = await mkdir(lock).then(
      () => true,
      () => false,
    );
    return !taken && Date.now() < deadline;
  };
  while (!existsSync(folder) && (await locked())) await setTimeout(LOCK_POLL_MS);
  try {
    if (!existsSync(folder)) await writeDirectoryAtomic(folder, compileAll);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
  return folder;
}

export interface FlashCase {
  /** `forward64`, `backward128` (rows of the forward kernel), `decode3` (splits), `simple16` (queries of a block), `...f32`. */
  readonly path: string;
  readonly B?: number;
  readonly T: number;
  readonly S: number;
  /** Positions that k and v have room for, S without. */
  readonly capacity?: number;
  readonly H?: number;
  readonly G?: number;
  readonly D: number;
  readonly causal?: boolean;
  readonly masked?: boolean;
  /** The number of keys comes from device memory. */
  readonly counted?: boolean;
  /** Blocks, warps and lanes run from last to first. */
  readonly reversed?: boolean;
  /** Scores of hundreds, so that softmax is nearly a choice of one key. */
  readonly steep?: boolean;
}

export interface FlashErrors {
  readonly problem: string;
  /** Of o, lse and, backward, dq, dk, dv: largest difference relative to the value plus the root mean square. */
  readonly errors: readonly number[];
  /** Changes with any bit of the results. */
  readonly checksum: string;
}

function lineOf(c: FlashCase): string {
  const { B = 1, H = 1, G = 1, capacity = c.S } = c;
  const option = Number(c.counted === true) + 2 * Number(c.reversed === true) + 4 * Number(c.steep === true);
  const flags = [Number(c.causal === true), Number(c.masked === true)];
  return [c.path, B, c.T, c.S, capacity, H, G, c.D, ...flags, c.D ** -0.5, option].join(' ');
}

/** Runs the cases in the emulator, in order. Rejects when the program cannot be built or dies. */
export async function checkFlash(cases: readonly FlashCase[]): Promise<FlashErrors[]> {
  const folder = await build();
  const modules = MODULES.map(({ name }) => join(folder, `${name}.so`));
  const program = spawn(join(folder, 'flash-check'), modules, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    program.on('error', reject);
    program.on('close', resolve);
  });
  let output = '';
  program.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  program.stdin.end(`${cases.map(lineOf).join('\n')}\n`);
  const code = await ended;
  const lines = output.trim().split('\n');
  if (code !== 0 || lines.length !== cases.length)
    throw new Error(`flash-check ended with ${code} after ${lines.length} of ${cases.length} cases:\n${lines.at(-1)}`);
  return lines.map((line) => {
    const [problem = '', errors = '', checksum = ''] = line.split('\t');
    return { problem, errors: errors === '' ? [] : errors.split(' ').map(Number), checksum };
  });
}
