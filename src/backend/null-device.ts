/** A device that allocates addresses and counts work, but computes nothing: the whole 8B graph runs in its shape logic alone. */
import { CachingPool } from './caching-pool.js';
import {
  type AttentionGradProblem,
  type AttentionProblem,
  attentionFlops,
  type Device,
  type DeviceStats,
  type GemmProblem,
  gemmFlops,
  type HostArray,
} from './device.js';

export class NullDevice implements Device {
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
  private highest = { liveBytes: 0, residentBytes: 0 };

  alloc(bytes: number): number {
    const address = this.pool.alloc(bytes);
    const before = this.touched.get(address) ?? 0;
    if (bytes > before) {
      this.touched.set(address, bytes);
      this.residentNow += bytes - before;
    }
    this.highest.liveBytes = Math.max(this.highest.liveBytes, this.pool.liveBytes);
    this.highest.residentBytes = Math.max(this.highest.residentBytes, this.residentNow);
    return address;
  }

  /** The most since the last call: in use, and in use or kept for reuse. */
  takeHighest(): { readonly liveBytes: number; readonly residentBytes: number } {
    const { highest } = this;
    this.highest = { liveBytes: this.pool.liveBytes, residentBytes: this.residentNow };
    return highest;
  }

  free(address: number, bytes: number): void {
    this.pool.release(address, bytes);
  }

  write(_address: number, _values: HostArray): void {}

  async writePieces(): Promise<void> {}

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
    const { liveBytes, peakBytes, cachedBytes } = this.pool;
    return { launches: this.launches, matmulFlops: this.flops, liveBytes, peakBytes, cachedBytes };
  }

  dispose(): void {
    this.pool.trim();
  }

  private count(kernel: string): void {
    this.launches++;
    this.launchesByKernel.set(kernel, (this.launchesByKernel.get(kernel) ?? 0) + 1);
  }
}
