/**
 * What the compiler makes of every kernel for each GPU generation: registers, spills, shared memory. Needs NVRTC or nvcc
 * but no GPU. The figures come from the assembler's own words in the compile log (-v); reports are kept in the cache.
 */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { BackendError } from '../../base/errors.js';
import { readCached, writeCached } from './compile-cache.js';
import type { LibrarySearch } from './find-libraries.js';
import { type CompilationUnit, KernelLibrary } from './kernel-library.js';
import { isLoaded, loadLibrary } from './load-libraries.js';
import { Nvrtc } from './nvrtc.js';

const run = promisify(execFile);

/** A100, A6000, L40S, H100. */
export const REPORTED_GENERATIONS = [80, 86, 89, 90] as const;

export interface KernelReport {
  readonly kernel: string;
  readonly sm: number;
  readonly registers: number;
  /** Stores and loads of a thread's spilled registers. */
  readonly spillBytes: number;
  readonly stackBytes: number;
  /** Static, of a block. */
  readonly sharedBytes: number;
}

export interface CompileReport {
  /** As `NVRTC 12.9`. */
  readonly compiler: string;
  readonly kernels: readonly KernelReport[];
}

export interface NoCompileReport {
  /** Why nothing was compiled, and what to do. */
  readonly skipped: string;
}

/** Norms, attention, RoPE, activations, the optimizer and the loss: what a training step spends its time in. */
export const HOT_KERNELS = /^(layer_norm|rms_norm|flash_|attention_|rope|swiglu|gelu|adamw|cross_entropy|dropout)/;

interface ReportingCompiler {
  readonly name: string;
  /** The assembler's log of one file, for all generations. */
  compile(unit: CompilationUnit, generations: readonly number[]): Promise<string>;
}

function figure(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/** The assembler's lines about each entry function. Mangled names are kernels that the file does not export. */
export function parseAssemblerLog(log: string): KernelReport[] {
  const parts = log.split(/Compiling entry function '(\w+)' for 'sm_(\d+)a?'/).slice(1);
  const reports: KernelReport[] = [];
  for (let i = 0; i + 2 < parts.length; i += 3) {
    const [kernel = '', sm = '', text = ''] = parts.slice(i, i + 3);
    if (kernel.startsWith('_Z')) continue;
    reports.push({
      kernel,
      sm: Number(sm),
      registers: figure(text, /Used (\d+) registers/),
      spillBytes: figure(text, /(\d+) bytes spill stores/) + figure(text, /(\d+) bytes spill loads/),
      stackBytes: figure(text, /(\d+) bytes stack frame/),
      sharedBytes: figure(text, /(\d+) bytes smem/),
    });
  }
  return reports;
}

function nvrtcCompiler(library: KernelLibrary, search: LibrarySearch): ReportingCompiler | undefined {
  if (!isLoaded(loadLibrary('nvrtc', search))) return undefined;
  const nvrtc = Nvrtc.open(search);
  const { major, minor } = nvrtc.version;
  const compile = async ({ name, source, options }: CompilationUnit, generations: readonly number[]) => {
    const job = { name, source, headers: library.headers, options: [...options, '--ptxas-options=-v'] };
    return generations.map((sm) => nvrtc.compile({ ...job, sm }).log).join('');
  };
  return { name: `NVRTC ${major}.${minor}`, compile };
}

/** nvcc takes the files where they lie; of NVRTC's options it needs the macros that choose the storage. */
async function nvccCompiler(): Promise<ReportingCompiler | undefined> {
  let version: string;
  try {
    version = (await run('nvcc', ['--version'])).stdout;
  } catch {
    return undefined; // not on the PATH
  }
  const compile = async ({ name, path, options }: CompilationUnit, generations: readonly number[]) => {
    const macros = options.filter((option) => /^-D(?!INFINITY)/.test(option));
    const targets = generations.map((sm) => `-gencode=arch=compute_${sm},code=sm_${sm}`);
    const flags = ['-std=c++17', '-fatbin', ...targets, '-Xptxas', '-v', '-o', '/dev/null', ...macros, path];
    try {
      return (await run('nvcc', flags, { maxBuffer: 2 ** 26 })).stderr;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BackendError('E_COMPILE_FAILED', `cuda: nvcc failed on ${name}: ${reason}`, { cause });
    }
  };
  return { name: `nvcc ${/release ([\d.]+)/.exec(version)?.[1] ?? ''}`, compile };
}

/**
 * Compiles every kernel for the given generations, with NVRTC or else nvcc.
 *
 * @throws BackendError E_COMPILE_FAILED
 */
export async function compileReport(
  generations: readonly number[] = REPORTED_GENERATIONS,
  search: LibrarySearch = {},
): Promise<CompileReport | NoCompileReport> {
  const library = await KernelLibrary.read();
  const compiler = nvrtcCompiler(library, search) ?? (await nvccCompiler());
  if (compiler === undefined) {
    const found = loadLibrary('nvrtc', search);
    return { skipped: `no CUDA compiler: nvcc is not on the PATH; NVRTC: ${isLoaded(found) ? '' : found.reason}` };
  }
  const logs = new Map<CompilationUnit, string>();
  const queue = [...library.all];
  const worker = async () => {
    for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) {
      const identity = ['report', compiler.name, generations, unit.options, unit.source, [...library.headers]];
      const known = readCached(identity);
      const log = known === undefined ? await compiler.compile(unit, generations) : Buffer.from(known).toString();
      if (known === undefined) writeCached(identity, Buffer.from(log));
      logs.set(unit, log);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return { compiler: compiler.name, kernels: [...logs.values()].flatMap(parseAssemblerLog) };
}
