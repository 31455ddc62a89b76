/** The host processor as a device: kernels compiled by the C++ compiler, called through koffi, parallel through OpenMP. */
import { availableParallelism, cpus } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { type LibraryHandle, load, view } from 'koffi';
import { BackendError } from '../../base/errors.js';
import { nearest } from '../../base/nearest.js';
import { CachingPool } from '../caching-pool.js';
import {
  type AttentionGradProblem,
  type AttentionProblem,
  attentionFlops,
  type Device,
  type DeviceStats,
  type FileRange,
  type FillPiece,
  type GemmProblem,
  gemmFlops,
  type HostArray,
  type MappedUse,
} from '../device.js';
import { fillPieces } from '../upload-pieces.js';
import { buildLibrary } from './compile.js';
import { measureGemm } from './gemm-speed.js';
import { chooseGemm, type GemmChoice, type GemmOptions } from './openblas.js';

type Kernel = (...parameters: number[]) => number;
type MapCall = (fd: number, position: number, bytes: number, whole: number) => Promise<number>;

/**
 * Idle OpenMP threads sleep at once. Spinning ones would steal the cores from ffmpeg, the event loop and other
 * processes: beside one other training run on two cores a step took 270 ms instead of 80. Read when the library loads.
 */
const WAIT_POLICY = 'passive';

/** Large enough that a read's overhead vanishes, small enough that its page faults and copies overlap with the other's. */
const STREAM_PIECE_BYTES = 4 * 2 ** 20;
const STREAMS_AT_ONCE = 3;

export interface HostDeviceOptions extends GemmOptions {
  /** Threads of each kernel; default OMP_NUM_THREADS, else all cores that this process may use. */
  readonly threads?: number | undefined;
}

export class HostDevice implements Device {
  readonly kind = 'host';
  readonly scratchBytes = 16 * 2 ** 20;
  private choice: GemmChoice = { library: 'builtin', reason: 'not chosen yet', gflops: {} };
  private launches = 0;
  private flops = 0;
  private readonly pool: CachingPool;
  /** Bytes of files mapped as a whole. */
  private mappedBytes = 0;
  private readonly hostGemm: Kernel;
  private readonly hostAttention: Kernel;
  private readonly hostAttentionGrad: Kernel;

  private constructor(
    private readonly compiler: string,
    private readonly kernels: ReadonlyMap<string, Kernel>,
    private readonly copyIn: (address: number, values: HostArray, bytes: number) => void,
    private readonly copyOut: (into: HostArray, address: number, bytes: number) => void,
    private readonly mapFile: MapCall,
  ) {
    const alloc = this.kernel('host_alloc');
    const free = this.kernel('host_free');
    this.pool = new CachingPool(alloc, free);
    this.hostGemm = this.kernel('host_gemm');
    this.hostAttention = this.kernel('host_attention');
    this.hostAttentionGrad = this.kernel('host_attention_grad');
  }

  /** @throws BackendError when the kernels cannot be compiled or loaded */
  static async create(options: HostDeviceOptions = {}): Promise<HostDevice> {
    process.env['OMP_WAIT_POLICY'] ??= WAIT_POLICY;
    const built = await buildLibrary();
    let library: LibraryHandle;
    try {
      library = load(built.path);
    } catch (error) {
      throw new BackendError('E_LIBRARY_LOAD', `native backend: could not load ${built.path}: ${String(error)}`, {
        hint: `delete ${built.path} so that it is compiled again`,
        cause: error,
      });
    }
    const kernels = new Map<string, Kernel>(
      built.signatures.map(({ name, result, parameters }) => [name, library.func(name, result, [...parameters])]),
    );
    const copyIn = library.func('host_copy', 'void', ['uint64', 'const void *', 'uint64']);
    const copyOut = library.func('host_copy', 'void', ['void *', 'uint64', 'uint64']);
    const mapFile = promisify(
      library.func('host_map', 'uint64', ['int32', 'uint64', 'uint64', 'int32']).async,
    ) as MapCall;
    const device = new HostDevice(built.compiler, kernels, copyIn, copyOut, mapFile);
    device.useThreads(1);
    device.choice = await chooseGemm(library, dirname(built.path), options, (select) =>
      measureGemm({
        alloc: device.kernel('host_alloc'),
        free: device.kernel('host_free'),
        write: (address, values) => device.write(address, values),
        multiply: (problem) => device.multiply(problem),
        select,
      }),
    );
    device.useThreads(options.threads ?? (Number(process.env['OMP_NUM_THREADS']) || availableParallelism()));
    return device;
  }

  get name(): string {
    const threads = this.kernel('host_threads')();
    return `${cpus()[0]?.model.trim() ?? process.arch}, ${threads} threads, ${this.compiler}`;
  }

  /** Which library multiplies large fp32 matrices, and why. */
  get gemmChoice(): GemmChoice {
    return this.choice;
  }

  /** Results do not depend on the number of threads. */
  useThreads(threads: number): void {
    this.kernel('host_set_threads')(threads);
  }

  alloc(bytes: number): number {
    return this.pool.alloc(bytes);
  }

  free(address: number, bytes: number): void {
    this.pool.release(address, bytes);
  }

  write(address: number, values: HostArray): void {
    this.copyIn(address, values, values.byteLength);
  }

  /** The pieces are the memory itself: a file's bytes go there without a copy between. */
  async writePieces(address: number, bytes: number, fill: FillPiece): Promise<void> {
    await fillPieces({ bytes, pieceBytes: STREAM_PIECE_BYTES, atOnce: STREAMS_AT_ONCE }, async (offset, size) => {
      await fill(new Uint8Array(view(address + offset, size)), offset);
    });
  }

  /** Waits for the disk on a thread of its own. */
  async map({ fd, position, bytes }: FileRange, use: MappedUse): Promise<number> {
    if (process.env['MIMIC_MAP_WEIGHTS'] === '0') return 0;
    const address = await this.mapFile(fd, position, bytes, use === 'whole' ? 1 : 0);
    if (address !== 0 && use === 'whole') this.mappedBytes += bytes;
    return address;
  }

  unmap(address: number, bytes: number, use: MappedUse): void {
    if (use === 'whole') this.mappedBytes -= bytes;
    this.kernel('host_unmap')(address, bytes);
  }

  read(address: number, into: HostArray): void {
    this.copyOut(into, address, into.byteLength);
  }

  launch(kernel: string, ...parameters: number[]): void {
    this.launches++;
    (this.kernels.get(kernel) ?? this.kernel(kernel))(...parameters);
  }

  gemm(p: GemmProblem): void {
    this.launches++;
    this.flops += gemmFlops(p);
    this.multiply(p);
  }

  attention(p: AttentionProblem): void {
    this.launches++;
    this.flops += attentionFlops(p);
    const causal = p.causal ? 1 : 0;
    this.hostAttention(
      p.storage === 'bf16' ? 1 : 0,
      p.q,
      p.k,
      p.v,
      p.keyMask,
      p.o,
      p.lse,
      p.batch,
      p.queries,
      p.keys,
      p.capacity,
      p.keyCount,
      p.heads,
      p.groups,
      p.headDim,
      causal,
      p.scale,
    );
  }

  attentionGrad(p: AttentionGradProblem): void {
    this.launches++;
    this.flops += 2.5 * attentionFlops(p);
    const causal = p.causal ? 1 : 0;
    const { dy, q, k, v, o, keyMask, lse, dq, dk, dv, batch, queries, keys } = p;
    const { capacity, keyCount, heads, groups, headDim, scale } = p;
    this.hostAttentionGrad(
      p.storage === 'bf16' ? 1 : 0,
      dy,
      q,
      k,
      v,
      o,
      keyMask,
      lse,
      dq,
      dk,
      dv,
      batch,
      queries,
      keys,
      capacity,
      keyCount,
      heads,
      groups,
      headDim,
      causal,
      scale,
    );
  }

  /** Launches are synchronous here. */
  synchronize(): void {}

  trim(): void {
    this.pool.trim();
  }

  stats(): DeviceStats {
    const { launches, flops: matmulFlops, mappedBytes } = this;
    const { liveBytes, peakBytes, cachedBytes } = this.pool;
    return {
      ...{ launches, matmulFlops, cachedBytes },
      ...{ liveBytes: liveBytes + mappedBytes, peakBytes: peakBytes + mappedBytes },
    };
  }

  dispose(): void {
    this.pool.trim();
  }

  private multiply(p: GemmProblem): void {
    const transposeA = p.transposeA ? 1 : 0;
    const transposeB = p.transposeB ? 1 : 0;
    const accumulate = p.accumulate ? 1 : 0;
    this.hostGemm(
      transposeA,
      transposeB,
      p.m,
      p.n,
      p.k,
      p.storage === 'bf16' ? 1 : 0,
      p.resultStorage === 'bf16' ? 1 : 0,
      p.a,
      p.b,
      p.c,
      p.bias,
      p.scale,
      accumulate,
      p.activation === 'gelu' ? 1 : 0,
      p.batch,
      p.strideA,
      p.strideB,
      p.strideC,
    );
  }

  private kernel(name: string): Kernel {
    const kernel = this.kernels.get(name);
    if (kernel === undefined) {
      const close = nearest(name, this.kernels.keys());
      throw new BackendError(
        'E_KERNEL_UNKNOWN',
        `native backend: no kernel named ${name}${close === undefined ? '' : `; did you mean ${close}?`}`,
      );
    }
    return kernel;
  }
}
