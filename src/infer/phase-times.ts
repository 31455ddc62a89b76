/** How long each stage of an answer took, and the memory that the process had. */
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../backend/native-backend.js';
import { formatBytes, formatDuration } from '../base/format.js';
import { PHASES, type PhaseName, type PhaseObserver } from '../base/phases.js';
import { formatTable } from './format-table.js';

export interface Timings {
  /** Milliseconds of each stage that ran. */
  readonly ms: Readonly<Partial<Record<PhaseName, number>>>;
  /** Most resident memory that the process had so far. */
  readonly peakRssBytes: number;
}

export class PhaseTimes implements PhaseObserver {
  private readonly ms: Partial<Record<PhaseName, number>> = {};
  private started = 0;

  enter(): void {
    finishQueuedWork();
    this.started = performance.now();
  }

  leave(name: PhaseName): void {
    finishQueuedWork();
    this.ms[name] = (this.ms[name] ?? 0) + performance.now() - this.started;
  }

  get timings(): Timings {
    return { ms: this.ms, peakRssBytes: process.resourceUsage().maxRSS * 1024 };
  }
}

/** A GPU works on after a call has returned; without this its work would count for a later stage. */
function finishQueuedWork(): void {
  const backend: unknown = tf.getBackend() === undefined ? undefined : tf.backend();
  if (backend instanceof NativeBackend) backend.device.synchronize();
}

export function formatTimings({ ms, peakRssBytes }: Timings): string {
  const rows = PHASES.flatMap((name) => (ms[name] === undefined ? [] : [[name, formatDuration(ms[name] / 1000)]]));
  return formatTable(['stage', 'time'], [...rows, ['peak memory', formatBytes(peakRssBytes)]]);
}
