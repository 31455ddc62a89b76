/** An NVIDIA GPU as a device: one compute stream, on which everything is queued in order. */
import { BackendError } from '../../base/errors.js';
import {
  type AttentionGradProblem,
  type AttentionProblem,
  attentionFlops,
  type Device,
  type DeviceStats,
  type FillPiece,
  type GemmProblem,
  gemmFlops,
  type HostArray,
  type Recording,
  type Storage,
} from '../device.js';
import { AllocationTable, type LiveTensor } from './allocation-table.js';
import { CudaAttention } from './attention.js';
import { Context, type DeviceProperties } from './context.js';
import { CublasLt, WORKSPACE_BYTES } from './cublaslt.js';
import { Driver, versionText } from './driver.js';
import { timeOnStream } from './events.js';
import { queueGemm } from './gemm.js';
import { KernelLibrary } from './kernel-library.js';
import { Launcher, type LaunchShape } from './launch.js';
import { DeviceMemory } from './memory.js';
import { Modules } from './modules.js';
import { Nvrtc } from './nvrtc.js';
import { outOfMemory } from './out-of-memory.js';
import { Staging } from './pinned.js';
import { ConstantUploads, CudaRecording } from './recording.js';
import { Stream } from './stream.js';
import { StreamUpload } from './stream-upload.js';
import type { WorkQueue } from './work-queue.js';

export interface CudaDeviceOptions {
  /** Counted from 0 among the GPUs that CUDA_VISIBLE_DEVICES leaves. */
  readonly index?: number | undefined;
  /** Folders to look into first for NVIDIA's libraries; default MIMIC_CUDA_LIBS. */
  readonly libraryFolders?: readonly string[] | undefined;
  /** fp32 matrix products on tensor cores, with 10-bit mantissas. */
  readonly tf32?: boolean | undefined;
}

/** A small part of device memory, several times its cache. */
const SCRATCH_BYTES = 64 * 2 ** 20;

export class CudaDevice implements Device, WorkQueue {
  readonly kind = 'cuda';
  readonly scratchBytes = SCRATCH_BYTES;
  private readonly stream: Stream;
  private readonly memory: DeviceMemory;
  private readonly staging: Staging;
  private readonly streamUpload: StreamUpload;
  private readonly modules: Modules;
  private readonly launcher: Launcher;
  private readonly lt: CublasLt;
  private readonly attentionPaths: CudaAttention;
  private readonly table = new AllocationTable();
  private readonly recordings = new Set<CudaRecording>();
  private uploads: ConstantUploads | undefined;
  private launches = 0;
  private flops = 0;
  private disposed = false;

  private constructor(
    private readonly context: Context,
    private readonly nvrtc: Nvrtc,
    library: KernelLibrary,
    options: CudaDeviceOptions,
  ) {
    const { driver } = context;
    this.stream = new Stream(driver);
    this.memory = new DeviceMemory(context);
    this.staging = new Staging(driver, this.stream);
    this.streamUpload = new StreamUpload(context, this.stream, this.staging);
    this.modules = new Modules(context, nvrtc, library);
    this.launcher = new Launcher(context, this.stream, this.modules);
    const search = { folders: options.libraryFolders, newestMajor: Math.floor(driver.version / 1000) };
    const workspace = this.memory.alloc(WORKSPACE_BYTES);
    this.lt = CublasLt.open(search, this.stream, workspace, options.tf32 ?? false);
    this.attentionPaths = new CudaAttention(this, this.lt, context.properties);
  }

  /**
   * Opens a GPU. Kernels are compiled (or found in the cache) when they are first launched.
   *
   * @throws BackendError E_LIBRARY_ABSENT, E_CUDA_NO_DEVICE, E_CUDA_DRIVER_OLD, E_DEVICE_ABSENT
   */
  static async create(options: CudaDeviceOptions = {}): Promise<CudaDevice> {
    const library = await KernelLibrary.read();
    const driver = Driver.open({ folders: options.libraryFolders });
    const nvrtc = Nvrtc.open({ folders: options.libraryFolders, newestMajor: Math.floor(driver.version / 1000) });
    const context = new Context(driver, options.index ?? 0);
    try {
      return new CudaDevice(context, nvrtc, library, options);
    } catch (error) {
      context.release();
      throw error;
    }
  }

  get index(): number {
    return this.context.index;
  }

  get name(): string {
    const { name, sm, totalBytes } = this.context.properties;
    const gib = Math.round(totalBytes / 2 ** 30);
    const { major, minor } = this.nvrtc.version;
    const driver = versionText(this.context.driver.version);
    return `cuda:${this.context.index} ${name} (sm_${sm}, ${gib} GiB, driver for CUDA ${driver}, NVRTC ${major}.${minor}, cuBLASLt ${this.lt.version})`;
  }

  /** For libraries that queue work of their own in order with ours (NCCL). */
  get computeStream(): number {
    this.context.makeCurrent();
    return this.stream.handle;
  }

  /** Whether everything queued is done; does not wait. */
  isIdle(): boolean {
    this.context.makeCurrent();
    return this.stream.isDone();
  }

  get properties(): DeviceProperties {
    return this.context.properties;
  }

  /** Library name, version and path, for `mimic doctor`. */
  get libraries(): readonly { readonly name: string; readonly version: string; readonly path: string }[] {
    const { driver } = this.context;
    const { major, minor } = this.nvrtc.version;
    return [
      { name: 'libcuda', version: versionText(driver.version), path: driver.library.path },
      { name: 'NVRTC', version: `${major}.${minor}`, path: this.nvrtc.library.path },
      { name: 'cuBLASLt', version: String(this.lt.version), path: this.lt.library.path },
    ];
  }

  alloc(bytes: number): number {
    this.context.makeCurrent();
    let address: number;
    try {
      address = this.memory.alloc(bytes);
    } catch (error) {
      if (!(error instanceof BackendError) || error.code !== 'E_OUT_OF_MEMORY') throw error;
      throw this.explainFullMemory(bytes, error);
    }
    this.table.add(address, bytes);
    return address;
  }

  free(address: number, bytes: number): void {
    if (this.disposed) return;
    this.table.remove(address);
    this.memory.free(address, bytes);
  }

  /** Names what an address holds, for the message of an out-of-memory error. */
  describe(address: number, shape: readonly number[], storage: Storage): void {
    this.table.describe(address, shape, storage);
  }

  label(work: string): void {
    this.table.queued(work);
  }

  /** What lives in device memory, largest first. */
  liveTensors(): LiveTensor[] {
    return this.table.all;
  }

  write(address: number, values: HostArray): void {
    if (values.byteLength === 0) return;
    this.context.makeCurrent();
    this.table.queued('host');
    if (this.uploads === undefined) this.staging.upload(address, values);
    else this.uploads.add(address, values);
  }

  async writePieces(address: number, bytes: number, fill: FillPiece): Promise<void> {
    if (bytes === 0) return;
    if (this.uploads !== undefined) {
      throw new BackendError('E_RECORDING', 'cuda: a recording streams data in: a replay would not read it again', {
        hint: 'load weights before the recording',
      });
    }
    this.table.queued('host');
    await this.streamUpload.run(address, bytes, fill);
  }

  read(address: number, into: HostArray): void {
    if (into.byteLength === 0) return;
    if (this.uploads !== undefined) {
      throw new BackendError('E_RECORDING', 'cuda: a recording read from the device: its values do not exist yet', {
        hint: 'read after the recording, or keep the decision on the device',
      });
    }
    this.context.makeCurrent();
    this.staging.download(address, into);
  }

  launch(kernel: string, ...parameters: number[]): void {
    this.start(kernel);
    this.launcher.launch(kernel, parameters);
  }

  launchShaped(kernel: string, shape: LaunchShape, ...parameters: number[]): void {
    this.start(kernel);
    this.launcher.launchShaped(kernel, shape, parameters);
  }

  gemm(problem: GemmProblem): void {
    this.start('gemm');
    this.flops += gemmFlops(problem);
    queueGemm(this, this.lt, problem);
  }

  attention(problem: AttentionProblem): void {
    this.start('attention');
    this.flops += attentionFlops(problem);
    this.attentionPaths.forward(problem);
  }

  attentionGrad(problem: AttentionGradProblem): void {
    this.start('attentionGrad');
    this.flops += 2.5 * attentionFlops(problem);
    this.attentionPaths.backward(problem);
  }

  synchronize(): void {
    this.context.makeCurrent();
    this.stream.synchronize();
  }

  /** Milliseconds on the GPU's clock that the work queued by `work` takes. */
  time(work: () => void): number {
    this.context.makeCurrent();
    return timeOnStream(this.context.driver, this.stream, work);
  }

  /** Captures `work` as a graph and runs it once; each `replay` runs it again on the same memory. */
  record(work: () => void): Recording {
    if (this.uploads !== undefined) {
      throw new BackendError('E_RECORDING', 'cuda: a recording inside a recording; end the first one before');
    }
    this.context.makeCurrent();
    const { driver } = this.context;
    const uploads = new ConstantUploads(driver, this.staging);
    this.uploads = uploads;
    let recording: CudaRecording;
    try {
      recording = CudaRecording.capture({ driver, stream: this.stream, memory: this.memory, uploads, work });
    } catch (error) {
      uploads.dispose();
      throw error;
    } finally {
      this.uploads = undefined;
    }
    this.recordings.add(recording);
    recording.replay();
    return {
      replay: () => {
        this.context.makeCurrent();
        this.launches++;
        recording.replay();
      },
      dispose: () => {
        if (!this.recordings.delete(recording)) return;
        this.context.makeCurrent();
        recording.dispose();
      },
    };
  }

  /** Compiles every kernel now. Returns how many source files were compiled rather than found in the cache. */
  loadAllKernels(): number {
    this.context.makeCurrent();
    const before = this.modules.compiled;
    this.modules.loadAll();
    return this.modules.compiled - before;
  }

  /** Returns what is kept for reuse to the driver, for another process on the GPU: slow, so never between stages. */
  releaseCached(): void {
    this.synchronize();
    this.memory.trim();
  }

  stats(): DeviceStats {
    const { liveBytes, peakBytes, cachedBytes } = this.memory;
    return {
      launches: this.launches,
      matmulFlops: this.flops,
      liveBytes: liveBytes - WORKSPACE_BYTES,
      peakBytes: peakBytes - WORKSPACE_BYTES,
      cachedBytes,
    };
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    try {
      this.synchronize();
    } catch (error) {
      // After a crash nothing can be freed one by one: the driver takes all of it back when the process ends.
      if (error instanceof BackendError && error.code === 'E_CUDA_CRASHED') return;
      throw error;
    }
    for (const recording of this.recordings) recording.dispose();
    this.recordings.clear();
    this.lt.dispose();
    this.launcher.dispose();
    this.modules.dispose();
    this.streamUpload.dispose();
    this.staging.dispose();
    this.memory.dispose();
    this.table.clear();
    this.stream.dispose();
    this.context.release();
  }

  private start(work: string): void {
    this.context.makeCurrent();
    this.launches++;
    this.table.queued(work);
  }

  private explainFullMemory(requestedBytes: number, cause: unknown): BackendError {
    const { liveBytes, cachedBytes } = this.memory;
    return outOfMemory(
      {
        requestedBytes,
        device: `cuda:${this.context.index}`,
        liveBytes,
        cachedBytes,
        ...this.context.memory(),
        tensors: this.table.all,
      },
      cause,
    );
  }
}
