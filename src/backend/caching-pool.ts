/**
 * Keeps freed device memory by size class, so that a training step's steady state never reaches the system allocator.
 *
 * It lives on this side of the FFI because a hit is then two array operations, and because every device can use it.
 */
import { BackendError } from '../base/errors.js';

/** Cached memory beyond half of the peak plus this much is returned to the system before more is taken. */
const SPARE_BYTES = 256 * 2 ** 20;
const SMALLEST_BYTES = 64;

/** Eight classes per power of two: at most 12.5 % is wasted. */
function classBytes(bytes: number): number {
  if (bytes <= 8 * SMALLEST_BYTES) return Math.ceil(bytes / SMALLEST_BYTES) * SMALLEST_BYTES;
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 3);
  return Math.ceil(bytes / step) * step;
}

export class CachingPool {
  private readonly free = new Map<number, number[]>();
  private liveBytesNow = 0;
  private peakBytesSoFar = 0;
  private cachedBytesNow = 0;

  /** @param take returns an address of 64-byte aligned memory, or 0 when there is none */
  constructor(
    private readonly take: (bytes: number) => number,
    private readonly giveBack: (address: number, bytes: number) => void,
  ) {}

  get liveBytes(): number {
    return this.liveBytesNow;
  }
  get peakBytes(): number {
    return this.peakBytesSoFar;
  }
  get cachedBytes(): number {
    return this.cachedBytesNow;
  }

  /** @throws BackendError E_OUT_OF_MEMORY when the system has none even after the cache was returned to it */
  alloc(bytes: number): number {
    if (bytes === 0) return 0;
    const size = classBytes(bytes);
    let address = this.free.get(size)?.pop();
    if (address === undefined) address = this.takeNew(size, bytes);
    else this.cachedBytesNow -= size;
    this.liveBytesNow += size;
    if (this.liveBytesNow > this.peakBytesSoFar) this.peakBytesSoFar = this.liveBytesNow;
    return address;
  }

  release(address: number, bytes: number): void {
    if (address === 0) return;
    const size = classBytes(bytes);
    const list = this.free.get(size);
    if (list === undefined) this.free.set(size, [address]);
    else list.push(address);
    this.liveBytesNow -= size;
    this.cachedBytesNow += size;
  }

  /** Returns all cached memory to the system. */
  trim(): void {
    for (const [size, addresses] of this.free) {
      for (const address of addresses) this.giveBack(address, size);
    }
    this.free.clear();
    this.cachedBytesNow = 0;
  }

  private takeNew(size: number, bytes: number): number {
    if (this.cachedBytesNow + size > this.peakBytesSoFar / 2 + SPARE_BYTES) this.trim();
    let address = this.take(size);
    if (address === 0 && this.cachedBytesNow > 0) {
      this.trim();
      address = this.take(size);
    }
    if (address === 0) {
      throw new BackendError(
        'E_OUT_OF_MEMORY',
        `device memory: could not get ${bytes} bytes, ${this.liveBytesNow} bytes are in use`,
        {
          hint: 'use a smaller batch, fewer frames or gradient checkpointing',
          context: { bytes, liveBytes: this.liveBytesNow },
        },
      );
    }
    return address;
  }
}
