/** What matrix products and attention need of the device that queues their parts. */
import type { LaunchShape } from './launch.js';

export interface WorkQueue {
  alloc(bytes: number): number;
  free(address: number, bytes: number): void;
  launch(kernel: string, ...parameters: number[]): void;
  launchShaped(kernel: string, shape: LaunchShape, ...parameters: number[]): void;
  /** Names what was allocated since the last work, for the message of an out-of-memory error. */
  label(work: string): void;
}

/** Runs `use` with a temporary buffer; it may be freed while queued work still uses it. */
export function withBuffer(queue: WorkQueue, bytes: number, use: (address: number) => void): void {
  const address = queue.alloc(bytes);
  try {
    use(address);
  } finally {
    queue.free(address, bytes);
  }
}
