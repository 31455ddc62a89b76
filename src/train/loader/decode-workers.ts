import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { BackendError } from '../../base/errors.js';
import { type OpenOptions, openVideo, type VideoInput } from '../../data/video/open-video.js';
import { Pool } from '../../data/video/pool.js';
import type { SamplingConfig } from '../../data/video/sampling.js';
import type { VideoFrames } from '../../model/frames.js';
import { type RunConfig, samplingOf } from '../config.js';
import type { FrameSource } from '../features/feature-source.js';
import {
  type DecodeResult,
  type DecodeTask,
  revivedError,
  SHARED,
  SHARED_BYTES,
  type WorkerSettings,
} from './decode-task.js';

export interface DecodeWorkersOptions {
  readonly sampling: SamplingConfig;
  readonly tiles: NonNullable<OpenOptions['tiles']>;
  readonly workers: number;
  /** Decoded frames that wait for their turn, MiB; beyond it no decode begins unless the trainer waits. */
  readonly budgetMiB: number;
  /** The compiled worker; default: the one beside this file. */
  readonly entry?: URL;
}

/** Decodes ahead of the trainer while that computes. */
export interface Decoding {
  readonly frames: FrameSource;
  /** Ends the threads. What is still asked for is never answered. */
  close(): Promise<void>;
}

/** As a run's configuration says. */
export function decodingOptions(config: Pick<RunConfig, 'model' | 'video' | 'data'>): DecodeWorkersOptions {
  const { maxTiles, thumbnail } = config.model.spatial;
  const { decodeWorkers: workers, prefetchMiB: budgetMiB } = config.data;
  return { sampling: samplingOf(config), tiles: { maxTiles, thumbnail }, workers, budgetMiB };
}

interface Waiting {
  readonly resolve: (frames: VideoFrames) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts the threads that decode. Which of them decodes what depends on their speed, and what comes of it does not.
 *
 * Run from TypeScript sources there is no compiled worker: the process then decodes itself, as many at once.
 */
export function startDecoding(options: DecodeWorkersOptions): Decoding {
  const { sampling, tiles, workers, entry = new URL('./decode-worker.js', import.meta.url) } = options;
  if (existsSync(fileURLToPath(entry))) return new DecodeWorkers(options, entry);
  const pool = new Pool(workers);
  return { frames: (input) => openVideo(input, sampling, { pool, tiles, warm: true }), close: async () => undefined };
}

class DecodeWorkers implements Decoding {
  readonly frames: FrameSource;
  private readonly shared = new SharedArrayBuffer(SHARED_BYTES);
  private readonly counters = new Int32Array(this.shared);
  private readonly workers: Worker[];
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;
  private failure: Error | undefined;
  private isClosed = false;

  constructor({ sampling, tiles, workers, budgetMiB }: DecodeWorkersOptions, entry: URL) {
    const workerData: WorkerSettings = { sampling, tiles, shared: this.shared, budgetKiB: budgetMiB * 1024 };
    this.workers = Array.from({ length: workers }, () => {
      const worker = new Worker(entry, { workerData });
      worker.on('message', (result: DecodeResult) => this.receive(result));
      worker.on('error', (error) => this.fail(error));
      worker.on('exit', () => this.fail(new Error('it ended by itself')));
      // An idle decoder keeps no process alive.
      worker.unref();
      return worker;
    });
    const frames = (input: VideoInput) => this.open(input);
    this.frames = Object.assign(frames, { setAwaited: (isAwaited: boolean) => this.setAwaited(isAwaited) });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private open(input: VideoInput): Promise<VideoFrames> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      const task: DecodeTask = { number: this.asked++, input };
      this.waiting.set(task.number, { resolve, reject });
      for (const worker of this.workers) {
        // Waiting for an answer is work.
        worker.ref();
        worker.postMessage(task);
      }
    });
  }

  private receive({ number, outcome }: DecodeResult): void {
    // An answer that was under way when `close` began: letting go of the threads now would end the process before they end.
    if (this.isClosed) return;
    const waiting = this.waiting.get(number);
    this.waiting.delete(number);
    if (this.waiting.size === 0) for (const worker of this.workers) worker.unref();
    if ('error' in outcome) waiting?.reject(revivedError(outcome.error));
    else waiting?.resolve({ ...outcome.frames, release: () => this.change(SHARED.heldKiB, -outcome.kib) });
  }

  private setAwaited(isAwaited: boolean): void {
    this.change(SHARED.awaited, isAwaited ? 1 : -1);
  }

  private change(counter: number, by: number): void {
    Atomics.add(this.counters, counter, by);
    Atomics.add(this.counters, SHARED.signal, 1);
    Atomics.notify(this.counters, SHARED.signal);
  }

  private fail(cause: Error): void {
    if (this.isClosed || this.failure !== undefined) return;
    this.failure = new BackendError('E_DECODE_WORKER', `A decoding thread failed: ${cause.message}`, {
      ...{ hint: 'Out of memory? Lower data.decodeWorkers or data.prefetchMiB.', cause },
    });
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
  }
}
