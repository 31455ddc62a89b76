/**
 * At most `slots` tasks at a time, first come first served.
 *
 * Each decode is a process with its own memory: without a bound, a server under load starts one for every request.
 */
export class Pool {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(readonly slots: number) {
    if (!Number.isInteger(slots) || slots < 1)
      throw new RangeError(`Pool: slots must be a positive integer, got ${slots}`);
  }

  /** @throws `signal.reason` when aborted while waiting for a slot; whatever `task` throws */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.acquire(signal);
    try {
      return await task();
    } finally {
      // A waiting task takes over the slot, so `running` stays.
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }

  private acquire(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.running < this.slots) {
      this.running++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const start = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.waiting.splice(this.waiting.indexOf(start), 1);
        reject(signal?.reason);
      };
      this.waiting.push(start);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
