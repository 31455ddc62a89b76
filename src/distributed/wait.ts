import { BackendError } from '../base/errors.js';

export interface WaitOptions {
  /** For the message: `rank 1: allGather 37`. */
  readonly what: string;
  readonly timeoutSec: number;
  /** How long to ask without a pause: data in flight moves only while it is asked for. */
  readonly busyMs: number;
  /** Called about once a second; throws when waiting is of no use. */
  readonly check?: () => void;
}

const CHECK_EVERY_MS = 1000;
const cell = new Int32Array(new SharedArrayBuffer(4));

function pause(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

/** Returns when `done` says so. @throws BackendError E_COLLECTIVE_TIMEOUT */
export function waitUntil(done: () => boolean, { what, timeoutSec, busyMs, check }: WaitOptions): void {
  if (done()) return;
  const started = performance.now();
  let nextCheckMs = CHECK_EVERY_MS;
  while (!done()) {
    const waitedMs = performance.now() - started;
    if (waitedMs > timeoutSec * 1000) {
      throw new BackendError('E_COLLECTIVE_TIMEOUT', `${what}: the other ranks did not come within ${timeoutSec} s.`, {
        hint: 'A rank hangs or is far slower: look at its machine; MIMIC_COLLECTIVE_TIMEOUT_SEC sets the limit.',
      });
    }
    if (waitedMs > nextCheckMs) {
      check?.();
      nextCheckMs += CHECK_EVERY_MS;
    }
    if (waitedMs > busyMs) pause(waitedMs > CHECK_EVERY_MS ? 5 : 0.2);
  }
}

/** Ten minutes: the slowest thing that a rank does alone is to write a large checkpoint. */
const DEFAULT_TIMEOUT_SEC = 600;

/** MIMIC_COLLECTIVE_TIMEOUT_SEC, or the default. */
export function collectiveTimeoutSec(environment: NodeJS.ProcessEnv = process.env): number {
  const seconds = Number(environment['MIMIC_COLLECTIVE_TIMEOUT_SEC']);
  return seconds > 0 ? seconds : DEFAULT_TIMEOUT_SEC;
}
