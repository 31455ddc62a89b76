/** Notes what a real device would hold and compute in each stage, on the null device. */
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../backend/native-backend.js';
import { NullDevice } from '../backend/null-device.js';

export interface Measured {
  readonly name: string;
  /** Bytes in use before and after. */
  readonly before: number;
  readonly after: number;
  /** Most in use; most in use or kept for reuse. */
  readonly peakBytes: number;
  readonly residentBytes: number;
  readonly flops: number;
}

/** Stages may not overlap. */
export class MemoryMeter {
  readonly stages: Measured[] = [];
  private started = { bytes: 0, flops: 0 };
  /** What was in use before, such as tables that the backend keeps: not the plan's. */
  private readonly baseline: number;

  constructor(private readonly device = nullDevice()) {
    this.baseline = device.stats().liveBytes;
  }

  enter(): void {
    const { liveBytes, matmulFlops } = this.device.stats();
    this.device.takeHighest();
    this.started = { bytes: liveBytes - this.baseline, flops: matmulFlops };
  }

  leave(name: string): void {
    const { liveBytes, matmulFlops } = this.device.stats();
    const highest = this.device.takeHighest();
    this.stages.push({
      name,
      before: this.started.bytes,
      after: liveBytes - this.baseline,
      peakBytes: highest.liveBytes - this.baseline,
      residentBytes: highest.residentBytes - this.baseline,
      flops: matmulFlops - this.started.flops,
    });
  }

  run<T>(name: string, work: () => T): T {
    this.enter();
    const result = work();
    this.leave(name);
    return result;
  }

  stage(name: string): Measured | undefined {
    return this.stages.find((stage) => stage.name === name);
  }

  /** Most in use or kept for reuse in all stages so far. */
  get residentBytes(): number {
    return Math.max(0, ...this.stages.map((stage) => stage.residentBytes));
  }
}

/** @throws TypeError unless the null backend is current */
export function nullDevice(): NullDevice {
  const backend: unknown = tf.backend();
  if (backend instanceof NativeBackend && backend.device instanceof NullDevice) return backend.device;
  throw new TypeError('a plan is made on the null backend');
}
