/** Marks on a stream: for waiting on a part of the queue, and for timing on the GPU's own clock. */
import type { Driver } from './driver.js';
import { OutValue } from './prototype.js';
import type { Stream } from './stream.js';

/** An event that keeps no time costs less to record. */
const DISABLE_TIMING = 2;

export class StreamEvent {
  readonly handle: number;

  constructor(
    private readonly driver: Driver,
    options: { readonly timing: boolean },
  ) {
    const out = new OutValue();
    const flags = options.timing ? 0 : DISABLE_TIMING;
    driver.check(driver.calls.cuEventCreate(out.bytes, flags), 'cuEventCreate', 'making an event');
    this.handle = out.uint64;
  }

  /** Marks the end of what is queued now. */
  record(stream: Stream): void {
    const status = this.driver.calls.cuEventRecord(this.handle, stream.handle);
    if (status !== 0) throw this.driver.error(status, 'cuEventRecord', 'marking the queue');
  }

  /** Waits until the marked work is done; at once when nothing was marked. */
  synchronize(): void {
    const status = this.driver.calls.cuEventSynchronize(this.handle);
    if (status !== 0) throw this.driver.error(status, 'cuEventSynchronize', 'waiting for a part of the queue');
  }

  dispose(): void {
    this.driver.check(this.driver.calls.cuEventDestroy_v2(this.handle), 'cuEventDestroy', 'freeing an event');
  }
}

/** Milliseconds that the GPU spends on what `work` queues, to about half a microsecond. */
export function timeOnStream(driver: Driver, stream: Stream, work: () => void): number {
  const start = new StreamEvent(driver, { timing: true });
  const end = new StreamEvent(driver, { timing: true });
  try {
    start.record(stream);
    work();
    end.record(stream);
    end.synchronize();
    const elapsed = new OutValue();
    const status = driver.calls.cuEventElapsedTime(elapsed.bytes, start.handle, end.handle);
    driver.check(status, 'cuEventElapsedTime', 'reading a stopwatch');
    return elapsed.float;
  } finally {
    start.dispose();
    end.dispose();
  }
}
