/** Collectives over Open MPI: between processors, and for the few bytes that GPUs' processes have to agree on. */
import { OutValue } from '../../backend/cuda/prototype.js';
import { BackendError } from '../../base/errors.js';
import { log } from '../../base/logger.js';
import type { Communicator, HostValues, Shared, Summable } from '../communicator.js';
import type { Launch } from '../launch.js';
import { Peers } from '../peers.js';
import { waitUntil } from '../wait.js';
import { loadMpi, type MpiLibrary } from './library.js';
import { copyIn, copyOut, copyWithin, isDevice, Staging } from './memory.js';

/** MPI_THREAD_FUNNELED: only this thread calls. */
const FUNNELED = 1;
const ERROR_TEXT_BYTES = 512;
const MAX_COUNT = 2 ** 31 - 1;
/** Larger messages move while they are asked for; smaller ones wait for a rank, and then a pause helps the others. */
const LARGE_BYTES = 2 ** 16;
const BUSY_MS = { small: 1, large: 2000 };

export interface MpiOptions {
  /** What the launcher says; compared with what MPI says. */
  readonly launch?: Launch | undefined;
  readonly timeoutSec: number;
}

interface Typed {
  readonly address: number;
  readonly length: number;
  readonly type: number;
  readonly itemBytes: number;
}

export class MpiCommunicator implements Communicator {
  readonly deviceMemory = 'host';
  readonly rank: number;
  readonly size: number;
  readonly name: string;
  private readonly world: number;
  private readonly request = new OutValue();
  private readonly flag = new OutValue();
  private readonly sent: Staging;
  private readonly received: Staging;
  private readonly scratch: Staging;
  private peers: Peers | undefined;
  private entered = 0;

  private constructor(
    private readonly library: MpiLibrary,
    private readonly options: MpiOptions,
  ) {
    const { calls, handles, version } = library;
    this.world = handles.world;
    const out = new OutValue();
    this.check(calls.MPI_Init_thread(0, 0, FUNNELED, out.bytes), 'MPI_Init_thread');
    this.check(calls.MPI_Comm_set_errhandler(this.world, handles.errorsReturn), 'MPI_Comm_set_errhandler');
    this.check(calls.MPI_Comm_rank(this.world, out.bytes), 'MPI_Comm_rank');
    this.rank = out.int32;
    this.check(calls.MPI_Comm_size(this.world, out.bytes), 'MPI_Comm_size');
    this.size = out.int32;
    this.name = `Open MPI ${version}, ${this.size} ranks`;
    this.sent = new Staging(library);
    this.received = new Staging(library);
    this.scratch = new Staging(library);
  }

  /**
   * Joins the other ranks; once a process.
   *
   * @throws BackendError E_MPI_ABSENT, E_MPI_FLAVOUR; E_MPI_ALONE when the library and the launcher do not belong together
   */
  static open(options: MpiOptions): MpiCommunicator {
    const communicator = new MpiCommunicator(loadMpi(), options);
    const { launch } = options;
    if (launch !== undefined && launch.size !== communicator.size) {
      const { path, version } = communicator.library;
      throw new BackendError(
        'E_MPI_ALONE',
        `${launch.launcher} started ${launch.size} ranks, ${path} (Open MPI ${version}) sees ${communicator.size}.`,
        { hint: 'The launcher and the library must be of one Open MPI built with PMIx: set MIMIC_MPI_LIB, or PATH.' },
      );
    }
    communicator.peers = Peers.meet(communicator);
    return communicator;
  }

  get collectives(): number {
    return this.entered;
  }

  allReduceSum(buffer: Summable): void {
    const each = Math.ceil(buffer.length / this.size);
    if (isDevice(buffer) && buffer.length % this.size !== 0) {
      throw new RangeError(`allReduceSum: ${buffer.length} floats on a device are no multiple of ${this.size} ranks`);
    }
    const whole = this.staged(buffer, this.sent, each * this.size);
    const part = { ...whole, address: whole.address + this.rank * each * whole.itemBytes, length: each };
    this.sumParts(whole, part.address, each);
    const gathered = isDevice(buffer) ? part.address : this.scratch.reserve(each * whole.itemBytes);
    copyWithin(gathered, part.address, each * whole.itemBytes);
    const all = isDevice(buffer) ? this.received.reserve(each * this.size * whole.itemBytes) : whole.address;
    this.start('allGather', each * whole.itemBytes, (request) =>
      this.library.calls.MPI_Iallgather(gathered, each, whole.type, all, each, whole.type, this.world, request),
    );
    if (isDevice(buffer)) copyWithin(whole.address, all, each * this.size * whole.itemBytes);
    else copyOut(buffer, whole.address);
  }

  reduceScatterSum(whole: Summable, part: Summable): void {
    this.checkParts(part, whole, 'reduceScatterSum');
    const all = this.staged(whole, this.sent, whole.length);
    const own = isDevice(part) ? part.address : this.scratch.reserve(part.length * all.itemBytes);
    this.sumParts(all, own, part.length);
    if (!isDevice(part)) copyOut(part, own);
  }

  allGather(part: Shared, whole: Shared): void {
    this.checkParts(part, whole, 'allGather');
    const own = this.staged(part, this.sent, part.length);
    const all = isDevice(whole) ? whole.address : this.received.reserve(whole.length * own.itemBytes);
    const { calls } = this.library;
    this.start('allGather', own.length * own.itemBytes, (request) =>
      calls.MPI_Iallgather(own.address, own.length, own.type, all, own.length, own.type, this.world, request),
    );
    if (!isDevice(whole)) copyOut(whole, all);
  }

  gather(part: HostValues, whole: HostValues | null, root: number): void {
    if (whole !== null) this.checkParts(part, whole, 'gather');
    const own = this.staged(part, this.sent, part.length);
    const all = whole === null ? 0 : this.received.reserve(whole.length * own.itemBytes);
    const { calls } = this.library;
    this.start('gather', own.length * own.itemBytes, (request) =>
      calls.MPI_Igather(own.address, own.length, own.type, all, own.length, own.type, root, this.world, request),
    );
    if (whole !== null) copyOut(whole, all);
  }

  broadcast(buffer: Shared, root: number): void {
    const { address, length, type, itemBytes } = this.staged(buffer, this.sent, buffer.length);
    this.start('broadcast', length * itemBytes, (request) =>
      this.library.calls.MPI_Ibcast(address, length, type, root, this.world, request),
    );
    if (!isDevice(buffer)) copyOut(buffer, address);
  }

  barrier(): void {
    this.start('barrier', 0, (request) => this.library.calls.MPI_Ibarrier(this.world, request));
  }

  abort(reason: string): never {
    log.error(`rank ${this.rank} of ${this.size}: ${reason}`);
    this.library.calls.MPI_Abort(this.world, 1);
    process.exit(1);
  }

  dispose(): void {
    for (const staging of [this.sent, this.received, this.scratch]) staging.dispose();
    this.check(this.library.calls.MPI_Finalize(), 'MPI_Finalize');
  }

  /** Each rank gets the others' values of its part and adds them in the order of the ranks. */
  private sumParts(whole: Typed, into: number, each: number): void {
    const { calls, handles } = this.library;
    const bytes = each * whole.itemBytes;
    const parts = this.received.reserve(this.size * bytes);
    this.start('reduceScatter', bytes, (request) =>
      calls.MPI_Ialltoall(whole.address, each, whole.type, parts, each, whole.type, this.world, request),
    );
    copyWithin(into, parts, bytes);
    for (let rank = 1; rank < this.size; rank++) {
      const status = calls.MPI_Reduce_local(parts + rank * bytes, into, each, whole.type, handles.sum);
      this.check(status, 'MPI_Reduce_local');
    }
  }

  /** Where MPI finds the values: on the device, or in a copy with room for `length` of them. */
  private staged(values: Shared, staging: Staging, length: number): Typed {
    const { float, double, byte } = this.library.handles;
    if (length > MAX_COUNT) {
      throw new BackendError('E_COLLECTIVE_TOO_LARGE', `${length} values in one message; MPI counts to ${MAX_COUNT}.`);
    }
    if (isDevice(values)) return { address: values.address, length, type: float, itemBytes: 4 };
    const itemBytes = values.BYTES_PER_ELEMENT;
    const address = staging.reserve(length * itemBytes);
    copyIn(address, values);
    const type = values instanceof Float32Array ? float : values instanceof Float64Array ? double : byte;
    if (length > values.length)
      copyIn(address + values.byteLength, new Uint8Array((length - values.length) * itemBytes));
    return { address, length, type, itemBytes };
  }

  private checkParts(part: Shared, whole: Shared, call: string): void {
    if (whole.length === part.length * this.size) return;
    throw new RangeError(`${call}: ${whole.length} values in all, ${part.length} of each of ${this.size} ranks`);
  }

  private start(what: string, bytes: number, post: (request: Buffer) => number): void {
    this.entered++;
    this.check(post(this.request.bytes), what);
    const { timeoutSec } = this.options;
    waitUntil(
      () => {
        this.check(this.library.calls.MPI_Test(this.request.bytes, this.flag.bytes, 0), what);
        return this.flag.int32 !== 0;
      },
      {
        what: `rank ${this.rank}: ${what} ${this.entered}`,
        timeoutSec,
        busyMs: bytes > LARGE_BYTES ? BUSY_MS.large : BUSY_MS.small,
        check: () => this.peers?.checkAlive(),
      },
    );
  }

  private check(status: number, call: string): void {
    if (status === 0) return;
    const text = Buffer.alloc(ERROR_TEXT_BYTES);
    const length = new OutValue();
    this.library.calls.MPI_Error_string(status, text, length.bytes);
    throw new BackendError('E_MPI_CALL', `${call} failed: ${text.toString('utf8', 0, length.int32)} (${status})`, {
      hint: 'See the messages of mpirun above; the last checkpoint is intact, and --resume goes on from it.',
    });
  }
}
