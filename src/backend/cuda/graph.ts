/** Work captured from a stream into a CUDA graph: one call queues it again, without the cost of each launch. */
import type { Driver } from './driver.js';
import { OutValue } from './prototype.js';
import type { Stream } from './stream.js';

/** Other driver calls of this thread stay allowed meanwhile: loading a module, reserving memory. */
const CAPTURE_RELAXED = 2;

export class Graph {
  private constructor(
    private readonly driver: Driver,
    private readonly stream: Stream,
    private readonly executable: number,
  ) {}

  /** Captures what `work` queues; nothing of it runs yet. */
  static capture(driver: Driver, stream: Stream, work: () => void): Graph {
    const { calls } = driver;
    const out = new OutValue();
    const begun = calls.cuStreamBeginCapture_v2(stream.handle, CAPTURE_RELAXED);
    driver.check(begun, 'cuStreamBeginCapture', 'starting a recording');
    let failure: { readonly error: unknown } | undefined;
    try {
      work();
    } catch (error) {
      failure = { error };
    }
    // A capture must be ended also when `work` failed; its own error then says more than that of the broken capture.
    const ended = calls.cuStreamEndCapture(stream.handle, out.bytes);
    const graph = ended === 0 ? out.uint64 : 0;
    try {
      if (failure !== undefined) throw failure.error;
      driver.check(ended, 'cuStreamEndCapture', 'ending a recording');
      const made = calls.cuGraphInstantiateWithFlags(out.bytes, graph, 0);
      driver.check(made, 'cuGraphInstantiate', 'preparing a recording');
      return new Graph(driver, stream, out.uint64);
    } finally {
      if (graph !== 0) driver.check(calls.cuGraphDestroy(graph), 'cuGraphDestroy', 'freeing a captured graph');
    }
  }

  launch(): void {
    const status = this.driver.calls.cuGraphLaunch(this.executable, this.stream.handle);
    if (status !== 0) throw this.driver.error(status, 'cuGraphLaunch', 'replaying a recording');
  }

  dispose(): void {
    this.driver.check(
      this.driver.calls.cuGraphExecDestroy(this.executable),
      'cuGraphExecDestroy',
      'freeing a recording',
    );
  }
}
