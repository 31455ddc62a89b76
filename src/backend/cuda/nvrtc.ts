/** NVIDIA's runtime compiler: CUDA C++ text to machine code of one GPU generation, in memory, without a toolkit. */
import { BackendError } from '../../base/errors.js';
import type { LibrarySearch } from './find-libraries.js';
import { type LoadedLibrary, requireLibrary } from './load-libraries.js';
import { bindCalls, type Calls, OutValue, type PrototypeTable } from './prototype.js';

const NVRTC_FUNCTIONS = {
  nvrtcVersion: ['bytes', 'bytes'],
  nvrtcGetNumSupportedArchs: ['bytes'],
  nvrtcGetSupportedArchs: ['bytes'],
  nvrtcCreateProgram: ['bytes', 'text', 'text', 'int32', 'texts', 'texts'],
  nvrtcDestroyProgram: ['bytes'],
  nvrtcCompileProgram: ['uint64', 'int32', 'texts'],
  nvrtcGetProgramLogSize: ['uint64', 'bytes'],
  nvrtcGetProgramLog: ['uint64', 'bytes'],
  nvrtcGetCUBINSize: ['uint64', 'bytes'],
  nvrtcGetCUBIN: ['uint64', 'bytes'],
  nvrtcGetPTXSize: ['uint64', 'bytes'],
  nvrtcGetPTX: ['uint64', 'bytes'],
} as const satisfies PrototypeTable;

type NvrtcCalls = Calls<typeof NVRTC_FUNCTIONS>;

const COMPILATION_FAILED = 6;
const LOG_TAIL_CHARS = 2000;

/**
 * Lambdas without annotations are device code here, and headers that would define INFINITY may be absent. Not
 * --use_fast_math: masks rely on infinities and norms on correct division.
 */
export const COMPILE_OPTIONS: readonly string[] = ['--std=c++17', '-default-device', '-DINFINITY=(1.0f/0.0f)'];

export interface CompileJob {
  /** For messages: the source's file name. */
  readonly name: string;
  readonly source: string;
  /** Texts of the headers by the names that sources include them under. */
  readonly headers: ReadonlyMap<string, string>;
  readonly options: readonly string[];
  /** Compute capability to compile for, as 86. */
  readonly sm: number;
}

export interface Compiled {
  /** A cubin, or PTX text (0-terminated) that the driver compiles on. */
  readonly image: Uint8Array;
  readonly log: string;
}

export class Nvrtc {
  readonly version: { readonly major: number; readonly minor: number };
  private readonly supported: readonly number[];

  private constructor(
    readonly library: LoadedLibrary,
    private readonly calls: NvrtcCalls,
    private readonly errorText: (status: number) => string,
  ) {
    const [first, second] = [new OutValue(), new OutValue()];
    this.check(calls.nvrtcVersion(first.bytes, second.bytes), 'nvrtcVersion');
    this.version = { major: first.int32, minor: second.int32 };
    this.check(calls.nvrtcGetNumSupportedArchs(first.bytes), 'nvrtcGetNumSupportedArchs');
    const generations = new Int32Array(first.int32);
    this.check(calls.nvrtcGetSupportedArchs(generations), 'nvrtcGetSupportedArchs');
    this.supported = [...generations].sort((a, b) => a - b);
  }

  /** @throws BackendError E_LIBRARY_ABSENT */
  static open(search: LibrarySearch = {}): Nvrtc {
    const library = requireLibrary('nvrtc', search);
    const calls = bindCalls(library.handle, NVRTC_FUNCTIONS);
    const errorText = library.handle.func('nvrtcGetErrorString', 'const char *', ['int']);
    return new Nvrtc(library, calls, errorText);
  }

  /** Machine code for a GPU generation that this NVRTC knows; PTX of the newest older one, for the driver to compile, else. */
  target(sm: number): string {
    if (this.supported.includes(sm)) return `sm_${sm}`;
    const older = this.supported.filter((generation) => generation < sm).at(-1);
    if (older !== undefined) return `compute_${older}`;
    const { major, minor } = this.version;
    throw new BackendError(
      'E_CUDA_ARCHITECTURE',
      `cuda: NVRTC ${major}.${minor} compiles for sm_${this.supported[0]} and newer, the GPU is sm_${sm}`,
      { hint: 'use a GPU of compute capability 8.0 or newer, or an older CUDA release' },
    );
  }

  /** @throws BackendError E_COMPILE_FAILED with the end of the compiler's messages */
  compile(job: CompileJob): Compiled {
    const { name, source, headers, sm } = job;
    const handle = new OutValue();
    const texts = [...headers.values()];
    const created = this.calls.nvrtcCreateProgram(handle.bytes, source, name, texts.length, texts, [...headers.keys()]);
    this.check(created, `nvrtcCreateProgram of ${name}`);
    try {
      const program = handle.uint64;
      const target = this.target(sm);
      const options = [`--gpu-architecture=${target}`, ...job.options];
      const status = this.calls.nvrtcCompileProgram(program, options.length, options);
      const log = this.text(program, this.calls.nvrtcGetProgramLogSize, this.calls.nvrtcGetProgramLog);
      if (status !== 0)
        throw this.compileError(status, `${name} for ${target}`, log.toString('utf8', 0, log.indexOf(0)));
      const image = target.startsWith('sm_')
        ? this.text(program, this.calls.nvrtcGetCUBINSize, this.calls.nvrtcGetCUBIN)
        : this.text(program, this.calls.nvrtcGetPTXSize, this.calls.nvrtcGetPTX);
      return { image, log: log.toString('utf8', 0, Math.max(0, log.indexOf(0))) };
    } finally {
      this.check(this.calls.nvrtcDestroyProgram(handle.bytes), 'nvrtcDestroyProgram');
    }
  }

  private text(
    program: number,
    size: NvrtcCalls['nvrtcGetProgramLogSize'],
    get: NvrtcCalls['nvrtcGetProgramLog'],
  ): Buffer {
    const bytes = new OutValue();
    this.check(size(program, bytes.bytes), 'asking for the size of its output');
    const buffer = Buffer.alloc(bytes.uint64);
    this.check(get(program, buffer), 'fetching its output');
    return buffer;
  }

  private compileError(status: number, what: string, log: string): BackendError {
    const reason =
      status === COMPILATION_FAILED ? `\n${log.slice(-LOG_TAIL_CHARS)}` : ` ${this.errorText(status)} ${log}`;
    return new BackendError('E_COMPILE_FAILED', `cuda: NVRTC failed on ${what}:${reason}`, {
      hint: 'try the NVRTC of another CUDA release (MIMIC_CUDA_LIBS), and report this',
      context: { status },
    });
  }

  private check(status: number, call: string): void {
    if (status === 0) return;
    throw new BackendError('E_CUDA_CALL', `cuda: NVRTC: ${call} failed with ${this.errorText(status)}`, {
      context: { status },
    });
  }
}
