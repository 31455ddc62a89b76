/** A captured graph with the memory it works on. */
import type { HostArray } from '../device.js';
import type { Driver } from './driver.js';
import { Graph } from './graph.js';
import type { DeviceMemory, PrivatePool } from './memory.js';
import { bytesOf, PinnedBuffer, type Staging } from './pinned.js';
import type { Stream } from './stream.js';

/** Values written while recording: each replay copies them again, so they need page-locked memory of their own. */
export class ConstantUploads {
  private readonly buffers: PinnedBuffer[] = [];

  constructor(
    private readonly driver: Driver,
    private readonly staging: Staging,
  ) {}

  add(address: number, values: HostArray): void {
    const buffer = new PinnedBuffer(this.driver, values.byteLength);
    this.buffers.push(buffer);
    buffer.bytes.set(bytesOf(values));
    this.staging.queueUpload(address, buffer.address, values.byteLength);
  }

  dispose(): void {
    for (const buffer of this.buffers.splice(0)) buffer.dispose();
  }
}

interface CaptureOptions {
  readonly driver: Driver;
  readonly stream: Stream;
  readonly memory: DeviceMemory;
  readonly uploads: ConstantUploads;
  readonly work: () => void;
}

export class CudaRecording {
  private constructor(
    private readonly graph: Graph,
    private readonly pool: PrivatePool,
    private readonly options: CaptureOptions,
  ) {}

  static capture(options: CaptureOptions): CudaRecording {
    const { driver, stream, memory, work } = options;
    let graph: Graph | undefined;
    const pool = memory.withPrivatePool(() => {
      graph = Graph.capture(driver, stream, work);
    });
    if (graph === undefined) throw new TypeError('a capture gave no graph');
    return new CudaRecording(graph, pool, options);
  }

  replay(): void {
    this.graph.launch();
  }

  /** Waits until no replay is under way: the graph's memory goes with it. */
  dispose(): void {
    const { stream, memory, uploads } = this.options;
    stream.synchronize();
    this.graph.dispose();
    memory.disposePrivate(this.pool);
    uploads.dispose();
  }
}
