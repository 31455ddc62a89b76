/** What passes between the trainer's thread and those that decode. */
import { BackendError, DataError, MimicError } from '../../base/errors.js';
import type { OpenOptions, VideoInput } from '../../data/video/open-video.js';
import type { SamplingConfig } from '../../data/video/sampling.js';
import type { Frames, VideoFrames } from '../../model/frames.js';

export interface WorkerSettings {
  readonly sampling: SamplingConfig;
  readonly tiles: NonNullable<OpenOptions['tiles']>;
  readonly shared: SharedArrayBuffer;
  readonly budgetKiB: number;
}

/** Sent to every worker; the first that claims it does it. */
export interface DecodeTask {
  /** 0, 1, .. in the order asked for, which is the order of claiming. */
  readonly number: number;
  readonly input: VideoInput;
}

export interface DecodeResult {
  readonly number: number;
  readonly outcome: { readonly frames: VideoFrames; readonly kib: number } | { readonly error: PlainError };
}

/** Int32 counters that all threads see. */
export const SHARED = {
  /** Number of the next task that nobody has claimed. */
  next: 0,
  /** Decoded frames that nobody has used yet, KiB. */
  heldKiB: 1,
  /** Above 0 while the trainer waits for frames: the budget is then no bound. */
  awaited: 2,
  /** Changes whenever a worker that holds back should look again. */
  signal: 3,
} as const;
export const SHARED_BYTES = 4 * Object.keys(SHARED).length;

/** An error whose class does not survive between threads. */
export interface PlainError {
  readonly kind: 'data' | 'backend' | 'other';
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly context: Readonly<Record<string, unknown>>;
}

export function plainError(error: unknown): PlainError {
  if (!(error instanceof MimicError)) {
    return { kind: 'other', code: '', message: error instanceof Error ? error.message : String(error), context: {} };
  }
  const { code, message, hint } = error;
  // Only what can be copied between threads.
  const context: Record<string, unknown> = JSON.parse(JSON.stringify(error.context));
  const kind = error instanceof DataError ? 'data' : error instanceof BackendError ? 'backend' : 'other';
  return { kind, code, message, context, ...(hint === undefined ? {} : { hint }) };
}

export function revivedError({ kind, code, message, hint, context }: PlainError): Error {
  const details = { context, ...(hint === undefined ? {} : { hint }) };
  if (kind === 'data') return new DataError(code, message, details);
  return kind === 'backend' ? new BackendError(code, message, details) : new Error(message);
}

/** Buffers of the frames that can change their owner; a view of a part of one is copied instead. */
export function movable({ spatial, temporal }: VideoFrames): ArrayBuffer[] {
  const buffers = [spatial, temporal].flatMap(({ data }: Frames) => {
    const { buffer, byteLength } = data;
    return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > 0 ? [buffer] : [];
  });
  return [...new Set(buffers)];
}
