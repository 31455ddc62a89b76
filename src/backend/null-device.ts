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
    () => undefined,
  );

  alloc(bytes: number): number {
    return this.pool.alloc(bytes);
  }

  free(address: number, bytes: number): void {
    this.pool.release(address, bytes);
  }

  write(_address: number, _values: HostArray): void {}

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
