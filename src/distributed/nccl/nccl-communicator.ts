/**
 * Collectives between GPUs over NCCL, queued on the compute stream; what lies in arrays travels over the ranks' MPI.
 *
 * A collective of NCCL has no end of its own when a rank is lost: after each one this rank asks, without blocking, for
 * the stream, NCCL's asynchronous error and the other processes, and gives up when one of them says so or time is out.
 */
import type { CudaDevice } from '../../backend/cuda/cuda-device.js';
import type { LibrarySearch } from '../../backend/cuda/find-libraries.js';
import { requireLibrary } from '../../backend/cuda/load-libraries.js';
import { OutValue } from '../../backend/cuda/prototype.js';
import { BackendError } from '../../base/errors.js';
import type { Communicator, DeviceFloats, HostValues, Shared, Summable } from '../communicator.js';
import { isDevice } from '../mpi/memory.js';
import { Peers } from '../peers.js';
import { waitUntil } from '../wait.js';
import { bindNccl, NCCL, type NcclCalls, UNIQUE_ID_BYTES } from './functions.js';

/** A collective of a large buffer; then others get the core. */
const BUSY_MS = 50;

export interface NcclOptions {
  /** Joins the ranks before NCCL does, and carries arrays. */
  readonly control: Communicator;
  readonly device: CudaDevice;
  readonly timeoutSec: number;
  readonly search?: LibrarySearch;
}

export class NcclCommunicator implements Communicator {
  readonly deviceMemory = 'cuda';
  readonly rank: number;
  readonly size: number;
  readonly name: string;
  private readonly calls: NcclCalls;
  private readonly handle: number;
  private readonly peers: Peers;
  private readonly out = new OutValue();
  private entered = 0;

  private constructor(
    private readonly options: NcclOptions,
    calls: NcclCalls,
  ) {
    const { control, device } = options;
    this.calls = calls;
    this.rank = control.rank;
    this.size = control.size;
    this.check(calls.ncclGetVersion(this.out.bytes), 'ncclGetVersion');
    this.name = `NCCL ${versionText(this.out.int32)} for gradients, ${control.name}`;
    this.peers = Peers.meet(control);
    const id = Buffer.alloc(UNIQUE_ID_BYTES);
    if (this.rank === 0) this.check(calls.ncclGetUniqueId(id), 'ncclGetUniqueId');
    control.broadcast(id, 0);
    // Makes this GPU's context the thread's current one, which is how NCCL learns of the GPU.
    void device.computeStream;
    this.check(calls.commInitRank(this.out.bytes, this.size, id, this.rank), 'ncclCommInitRank');
    this.handle = this.out.uint64;
  }

  /** A collective over `control`. @throws BackendError E_LIBRARY_ABSENT, E_NCCL_CALL */
  static open(options: NcclOptions): NcclCommunicator {
    return new NcclCommunicator(options, bindNccl(requireLibrary('nccl', options.search).handle));
  }

  get collectives(): number {
    return this.entered + this.options.control.collectives;
  }

  allReduceSum(buffer: Summable): void {
    if (!isDevice(buffer)) {
      this.options.control.allReduceSum(buffer);
      return;
    }
    const { address, length } = buffer;
    this.queue('ncclAllReduce', (stream) =>
      this.calls.ncclAllReduce(address, address, length, NCCL.float32, NCCL.sum, this.handle, stream),
    );
  }

  reduceScatterSum(whole: Summable, part: Summable): void {
    const addresses = this.onDevice(whole, part, 'reduceScatterSum');
    if (addresses === undefined) {
      this.options.control.reduceScatterSum(whole, part);
      return;
    }
    const [from, to] = addresses;
    this.queue('ncclReduceScatter', (stream) =>
      this.calls.ncclReduceScatter(from, to, part.length, NCCL.float32, NCCL.sum, this.handle, stream),
    );
  }

  allGather(part: Shared, whole: Shared): void {
    const addresses = this.onDevice(whole, part, 'allGather');
    if (addresses === undefined) {
      this.options.control.allGather(part, whole);
      return;
    }
    const [to, from] = addresses;
    this.queue('ncclAllGather', (stream) =>
      this.calls.ncclAllGather(from, to, part.length, NCCL.float32, this.handle, stream),
    );
  }

  gather(part: HostValues, whole: HostValues | null, root: number): void {
    this.options.control.gather(part, whole, root);
  }

  broadcast(buffer: Shared, root: number): void {
    if (!isDevice(buffer)) {
      this.options.control.broadcast(buffer, root);
      return;
    }
    const { address, length } = buffer;
    this.queue('ncclBroadcast', (stream) =>
      this.calls.ncclBroadcast(address, address, length, NCCL.float32, root, this.handle, stream),
    );
  }

  barrier(): void {
    this.options.control.barrier();
  }

  abort(reason: string): never {
    this.calls.ncclCommAbort(this.handle);
    this.options.control.abort(reason);
  }

  dispose(): void {
    this.check(this.calls.ncclCommDestroy(this.handle), 'ncclCommDestroy');
    this.options.control.dispose();
  }

  /** Addresses of the whole and the part when both are on the device; undefined when both are arrays. */
  private onDevice(whole: Shared, part: Shared, call: string): [number, number] | undefined {
    if (!isDevice(whole) && !isDevice(part)) return undefined;
    if (!isDevice(whole) || !isDevice(part)) throw new TypeError(`${call}: one buffer on the GPU and one array`);
    checkParts(whole, part, this.size, call);
    return [whole.address, part.address];
  }

  private queue(call: string, post: (stream: number) => number): void {
    this.entered++;
    const { device, timeoutSec } = this.options;
    this.check(post(device.computeStream), call);
    const what = `rank ${this.rank}: ${call} ${this.entered}`;
    try {
      waitUntil(
        () => {
          this.check(this.calls.ncclCommGetAsyncError(this.handle, this.out.bytes), 'ncclCommGetAsyncError');
          const state = this.out.int32;
          if (state !== NCCL.inProgress) this.check(state, call);
          return device.isIdle();
        },
        { what, timeoutSec, busyMs: BUSY_MS, check: () => this.peers.checkAlive() },
      );
    } catch (error) {
      // Its kernels wait on the GPU for ever; nothing else could be queued or freed.
      this.calls.ncclCommAbort(this.handle);
      throw error;
    }
  }

  private check(status: number, call: string): void {
    if (status === NCCL.success) return;
    throw new BackendError(
      'E_NCCL_CALL',
      `${call} failed on rank ${this.rank}: ${this.calls.errorString(status)} (${status})`,
      {
        hint: 'NCCL_DEBUG=INFO shows why. The last checkpoint is intact, and --resume goes on from it.',
        context: { status, call },
      },
    );
  }
}

function checkParts(whole: DeviceFloats, part: DeviceFloats, size: number, call: string): void {
  if (whole.length === part.length * size) return;
  throw new RangeError(`${call}: ${whole.length} floats in all, ${part.length} of each of ${size} ranks`);
}

/** As ncclGetVersion counts: 22703 for 2.27.3. */
function versionText(version: number): string {
  return `${Math.floor(version / 10000)}.${Math.floor((version % 10000) / 100)}.${version % 100}`;
}
