import { RequestError } from '../../base/errors.js';

/**
 * One request on the device, a bounded number behind it, and a refusal for the rest.
 *
 * A request is admitted before its body is read and holds its place until it is answered, so the memory of bodies in
 * flight is bounded too.
 */
export class WorkQueue {
  private admitted = 0;
  private draining = false;
  private running = false;
  private waiting: (() => void)[] = [];
  private meanTaskSec = 1;
  private whenEmpty: (() => void)[] = [];

  /** @param size requests that may wait behind the one on the device */
  constructor(private readonly size: number) {}

  get isDraining(): boolean {
    return this.draining;
  }

  /** Requests admitted and not yet answered, the running one included. */
  get depth(): number {
    return this.admitted;
  }

  /**
   * Takes a place; call the returned function (any number of times) to give it back.
   *
   * @throws RequestError 503 E_SERVER_DRAINING while draining, 429 E_QUEUE_FULL with `retryAfterSec` in its context
   */
  admit(): () => void {
    if (this.draining) throw drainingError();
    if (this.admitted > this.size) {
      const retryAfterSec = Math.min(120, Math.max(1, Math.ceil(this.meanTaskSec * this.admitted)));
      throw new RequestError(429, 'E_QUEUE_FULL', `${this.admitted} requests are waiting, the most this server holds`, {
        hint: `try again in ${retryAfterSec} s`,
        context: { retryAfterSec },
      });
    }
    this.admitted++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.admitted--;
      if (this.admitted === 0) for (const resolve of this.whenEmpty.splice(0)) resolve();
    };
  }

  /** Runs `task` after all tasks given before it; aborted while waiting, it rejects at once and never starts. */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.running) await this.turn(signal);
    this.running = true;
    const startMs = performance.now();
    try {
      return await task();
    } finally {
      this.meanTaskSec += 0.2 * ((performance.now() - startMs) / 1000 - this.meanTaskSec);
      const next = this.waiting.shift();
      if (next === undefined) this.running = false;
      else next();
    }
  }

  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiting = this.waiting.filter((waiter) => waiter !== enter);
        reject(signal.reason);
      };
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      this.waiting.push(enter);
    });
  }

  /** Admits nobody from now on; resolves when every admitted request is answered. */
  drain(): Promise<void> {
    this.draining = true;
    if (this.admitted === 0) return Promise.resolve();
    return new Promise((resolve) => this.whenEmpty.push(resolve));
  }
}

export function drainingError(): RequestError {
  return new RequestError(503, 'E_SERVER_DRAINING', 'the server is shutting down', {
    hint: 'try another instance, or later',
  });
}
