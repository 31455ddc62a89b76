/** A device that allocates addresses and counts work, but computes nothing: the whole 8B graph runs in its shape logic alone. */
import { CachingPool } from './caching-pool.js';
import {
  type AttentionGradProblem,
  type AttentionProblem,
  attentionFlops,
  type Device,
  type DeviceStats,
  type FileRange,
  type GemmProblem,
  gemmFlops,
  type HostArray,
  type MappedUse,
} from './device.js';

/** Where every mapped file is said to lie. */
const MAPPED_ADDRESS = 2 ** 52;

export class NullDevice implements Device {
  /** Whether it stands for a processor, which can use a file as memory, or for a GPU. */
  mapsFiles = true;
  readonly name = 'null (counts, computes nothing)';
  readonly kind = 'null';
  readonly scratchBytes = 256 * 2 ** 20;
  /** How often each kernel was launched; matrix products and attention under `gemm`, `attention`, `attentionGrad`. */
  readonly launchesByKernel = new Map<string, number>();
  private nextAddress = 64;
  private launches = 0;
  private flops = 0;
  private readonly pool = new CachingPool(
    (bytes) => {
      const address = this.nextAddress;
      this.nextAddress += bytes;
      return address;
    },
    (address) => {
      this.residentNow -= this.touched.get(address) ?? 0;
      this.touched.delete(address);
    },
  );
  /** Most bytes that were ever asked for of each block that the pool holds: what a system that pages lazily has given it. */
  private readonly touched = new Map<number, number>();
  private residentNow = 0;
  private mappedBytes = 0;
  private highest = { liveBytes: 0, residentBytes: 0 };

  alloc(bytes: number): number {
    const address = this.pool.alloc(bytes);
    const before = this.touched.get(address) ?? 0;
    if (bytes > before) {
      this.touched.set(address, bytes);
      this.residentNow += bytes - before;
    }
    this.noteHighest();
    return address;
  }

  private noteHighest(): void {
    const { highest, mappedBytes } = this;
    highest.liveBytes = Math.max(highest.liveBytes, this.pool.liveBytes + mappedBytes);
    highest.residentBytes = Math.max(highest.residentBytes, this.residentNow + mappedBytes);
  }

  /** The most since the last call: in use, and in use or kept for reuse. */
  takeHighest(): { readonly liveBytes: number; readonly residentBytes: number } {
    const { highest } = this;
    const { mappedBytes } = this;
    this.highest = { liveBytes: this.pool.liveBytes + mappedBytes, residentBytes: this.residentNow + mappedBytes };
    return highest;
  }

  free(address: number, bytes: number): void {
    this.pool.release(address, bytes);
  }

  write(_address: number, _values: HostArray): void {}

  async writePieces(): Promise<void> {}

  /** As the host device does, which takes no memory for rows that nobody looks up; a GPU cannot. */
  async map({ bytes }: FileRange, use: MappedUse): Promise<number> {
    if (!this.mapsFiles) return 0;
    if (use === 'whole') this.countMapped(bytes);
    return MAPPED_ADDRESS;
  }

  unmap(_address: number, bytes: number, use: MappedUse): void {
    if (use === 'whole') this.countMapped(-bytes);
  }

  private countMapped(bytes: number): void {
    this.mappedBytes += bytes;
    this.noteHighest();
  }

  /** All zeros. */
  read(_address: number, into: HostArray): void {
    into.fill(0);
  }

  launch(kernel: string, ..._parameters: number[]): void {
    this.count(kernel);
  }

  gemm(problem: GemmProblem): void {
    this.count('gemm');
    this.flops += gemmFlops(problem);
  }

  attention(problem: AttentionProblem): void {
    this.count('attention');
    this.flops += attentionFlops(problem);
  }

  /** Five products where the forward pass has two. */
  attentionGrad(problem: AttentionGradProblem): void {
    this.count('attentionGrad');
    this.flops += 2.5 * attentionFlops(problem);
  }

  synchronize(): void {}

  /** Gives up what is kept for reuse. */
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

  private count(kernel: string): void {
    this.launches++;
    this.launchesByKernel.set(kernel, (this.launchesByKernel.get(kernel) ?? 0) + 1);
  }
}
