/**
 * What lives in device memory and what made it, for the message of an out-of-memory error.
 *
 * Kernels do not say which allocation is theirs; a buffer belongs to the first work queued after it was taken, because a
 * result is allocated right before the launch that fills it. That costs one map entry per buffer and nothing per launch.
 */
import type { Storage } from '../device.js';

export interface LiveTensor {
  readonly bytes: number;
  /** The work that fills it: a kernel's name, `gemm`, `attention`, or `host` for what was copied in. */
  readonly madeBy: string;
  readonly shape?: readonly number[];
  readonly storage?: Storage;
}

interface Entry {
  readonly bytes: number;
  madeBy: string;
  shape?: readonly number[];
  storage?: Storage;
}

const UNUSED = 'nothing yet';

export class AllocationTable {
  private readonly entries = new Map<number, Entry>();
  private fresh: Entry[] = [];

  add(address: number, bytes: number): void {
    if (address === 0) return;
    const entry = { bytes, madeBy: UNUSED };
    this.entries.set(address, entry);
    this.fresh.push(entry);
  }

  remove(address: number): void {
    const entry = this.entries.get(address);
    this.entries.delete(address);
    if (entry !== undefined && this.fresh.at(-1) === entry) this.fresh.pop();
  }

  /** Work is queued: what was allocated since the last is its result. */
  queued(work: string): void {
    if (this.fresh.length === 0) return;
    for (const entry of this.fresh) entry.madeBy = work;
    this.fresh = [];
  }

  describe(address: number, shape: readonly number[], storage: Storage): void {
    const entry = this.entries.get(address);
    if (entry === undefined) return;
    entry.shape = shape;
    entry.storage = storage;
  }

  /** Largest first. */
  get all(): LiveTensor[] {
    return [...this.entries.values()].sort((a, b) => b.bytes - a.bytes);
  }

  clear(): void {
    this.entries.clear();
    this.fresh = [];
  }
}
