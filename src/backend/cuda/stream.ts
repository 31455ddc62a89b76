/** A queue of GPU work: what is put on it runs in order, while this thread goes on. */
import type { Driver } from './driver.js';
import { OutValue } from './prototype.js';

/** Without it, work on this stream would wait for the legacy default stream of other libraries. */
const NON_BLOCKING = 1;
const NOT_READY = 600;

export class Stream {
  readonly handle: number;

  constructor(private readonly driver: Driver) {
    const out = new OutValue();
    driver.check(driver.calls.cuStreamCreate(out.bytes, NON_BLOCKING), 'cuStreamCreate', 'making the compute stream');
    this.handle = out.uint64;
  }

  /** Waits for everything queued; an error of an earlier kernel surfaces here. */
  synchronize(): void {
    const status = this.driver.calls.cuStreamSynchronize(this.handle);
    if (status !== 0) throw this.driver.error(status, 'cuStreamSynchronize', 'waiting for queued work');
  }

  /** Whether everything queued is done; does not wait. */
  isDone(): boolean {
    const status = this.driver.calls.cuStreamQuery(this.handle);
    if (status === 0 || status === NOT_READY) return status === 0;
    throw this.driver.error(status, 'cuStreamQuery', 'asking for queued work');
  }

  dispose(): void {
    this.driver.check(this.driver.calls.cuStreamDestroy_v2(this.handle), 'cuStreamDestroy', 'freeing the stream');
  }
}
