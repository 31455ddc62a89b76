import { log } from '../base/logger.js';
import type { Communicator, HostValues, Shared, Summable } from './communicator.js';

/** One process, which is all ranks: the slower twin that the others are compared with, and what runs without a launcher. */
export class SingleProcess implements Communicator {
  readonly rank = 0;
  readonly size: number = 1;
  readonly name = 'one process';
  readonly deviceMemory = 'none';
  private entered = 0;

  get collectives(): number {
    return this.entered;
  }

  allReduceSum(_buffer: Summable): void {
    this.entered++;
  }

  reduceScatterSum(whole: Summable, part: Summable): void {
    this.copy(whole, part);
  }

  allGather(part: Shared, whole: Shared): void {
    this.copy(part, whole);
  }

  gather(part: HostValues, whole: HostValues | null, _root: number): void {
    if (whole !== null) this.copy(part, whole);
  }

  broadcast(_buffer: Shared, _root: number): void {
    this.entered++;
  }

  barrier(): void {
    this.entered++;
  }

  abort(reason: string): never {
    log.error(reason);
    process.exit(1);
  }

  dispose(): void {}

  private copy(from: Shared, to: Shared): void {
    this.entered++;
    if ('address' in from || 'address' in to) throw new TypeError('SingleProcess: values travel as arrays');
    to.set(from);
  }
}
