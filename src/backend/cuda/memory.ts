/**
 * Device memory: a caching pool over the driver's allocator, and a private pool for each recording.
 *
 * All work runs on one stream, so memory that was freed may be handed out again at once: what still reads it is ahead in
 * the queue.
 */
import { CachingPool } from '../caching-pool.js';
import type { Context } from './context.js';
import { OutValue } from './prototype.js';

const OUT_OF_MEMORY = 2;

/** A CachingPool that knows its blocks, so that all of them can be returned even while tensors hold some. */
class BlockPool {
  readonly pool: CachingPool;
  protected readonly blocks = new Set<number>();

  constructor(protected readonly context: Context) {
    this.pool = new CachingPool(
      (bytes) => this.take(bytes),
      (address) => this.giveBack(address),
    );
  }

  freeAll(): void {
    for (const address of this.blocks) this.freeBlock(address);
  }

  protected giveBack(address: number): void {
    this.freeBlock(address);
  }

  protected freeBlock(address: number): void {
    this.blocks.delete(address);
    const { driver } = this.context;
    driver.check(driver.calls.cuMemFree_v2(address), 'cuMemFree', `freeing the block at ${address}`);
  }

  private take(bytes: number): number {
    const { driver } = this.context;
    const out = new OutValue();
    const status = driver.calls.cuMemAlloc_v2(out.bytes, bytes);
    if (status === OUT_OF_MEMORY) return 0;
    driver.check(status, 'cuMemAlloc', `reserving ${bytes} bytes`);
    this.blocks.add(out.uint64);
    return out.uint64;
  }
}

/** Memory of one recording: replays write to it again, so nothing leaves it before the recording does. */
export class PrivatePool extends BlockPool {
  /** Freed inside the recording but taken before it: replays still read it. */
  readonly heldBack: { readonly address: number; readonly bytes: number }[] = [];
  private readonly live = new Map<number, number>();
  private disposed = false;

  alloc(bytes: number): number {
    const address = this.pool.alloc(bytes);
    if (address !== 0) this.live.set(address, bytes);
    return address;
  }

  /** False when the address is not of this pool. */
  release(address: number): boolean {
    const bytes = this.live.get(address);
    if (bytes === undefined) return false;
    this.live.delete(address);
    this.pool.release(address, bytes);
    if (this.disposed) this.freeBlock(address);
    return true;
  }

  /** Tensors may outlive their recording: their blocks go when they do. Returns whether all are gone. */
  dispose(): boolean {
    this.disposed = true;
    for (const address of this.blocks) if (!this.live.has(address)) this.freeBlock(address);
    return this.live.size === 0;
  }

  get isEmpty(): boolean {
    return this.disposed && this.live.size === 0;
  }

  /** The driver frees nothing while it captures, and replays need the block: it stays in `blocks` until `dispose`. */
  protected override giveBack(): void {}
}

export class DeviceMemory {
  private readonly main: BlockPool;
  private readonly privates = new Set<PrivatePool>();
  private recording: PrivatePool | undefined;
  private peakWithRecordings = 0;

  constructor(private readonly context: Context) {
    this.main = new BlockPool(context);
  }

  /** @throws BackendError E_OUT_OF_MEMORY */
  alloc(bytes: number): number {
    if (this.recording === undefined) return this.main.pool.alloc(bytes);
    const address = this.recording.alloc(bytes);
    this.peakWithRecordings = Math.max(this.peakWithRecordings, this.liveBytes);
    return address;
  }

  free(address: number, bytes: number): void {
    if (address === 0) return;
    for (const pool of this.privates) {
      if (!pool.release(address)) continue;
      if (pool.isEmpty) this.privates.delete(pool);
      return;
    }
    if (this.recording === undefined) this.main.pool.release(address, bytes);
    else this.recording.heldBack.push({ address, bytes });
  }

  /** Runs `work` with allocations from a pool of its own. */
  withPrivatePool(work: () => void): PrivatePool {
    const pool = new PrivatePool(this.context);
    this.privates.add(pool);
    this.recording = pool;
    try {
      work();
    } catch (error) {
      this.recording = undefined;
      this.disposePrivate(pool);
      throw error;
    } finally {
      this.recording = undefined;
    }
    return pool;
  }

  disposePrivate(pool: PrivatePool): void {
    if (pool.dispose()) this.privates.delete(pool);
    for (const { address, bytes } of pool.heldBack.splice(0)) this.free(address, bytes);
  }

  /** Returns cached memory to the system. */
  trim(): void {
    this.main.pool.trim();
  }

  get liveBytes(): number {
    return this.sum(({ liveBytes }) => liveBytes);
  }
  get cachedBytes(): number {
    return this.sum(({ cachedBytes }) => cachedBytes);
  }
  get peakBytes(): number {
    return Math.max(this.main.pool.peakBytes, this.peakWithRecordings);
  }

  /** Returns everything, also what tensors still hold. */
  dispose(): void {
    this.main.freeAll();
    for (const pool of this.privates) pool.freeAll();
    this.privates.clear();
  }

  private sum(of: (pool: CachingPool) => number): number {
    let bytes = of(this.main.pool);
    for (const { pool } of this.privates) bytes += of(pool);
    return bytes;
  }
}
