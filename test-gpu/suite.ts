/** What every suite of GPU tests is given, and what it gives back. */
import type { CudaDevice } from '../src/backend/cuda/cuda-device.js';
import type { Device } from '../src/backend/device.js';
import type { Comparison, Verdict } from '../src/backend/self-test/self-test.js';

export interface SuiteContext {
  readonly gpu: CudaDevice;
  /** The GPU's number. */
  readonly index: number;
  /** The same sources compiled by the C++ compiler; undefined where there is none. */
  readonly host: Device | undefined;
  /** Small sizes: shows the path, in seconds on an emulated GPU. */
  readonly quick: boolean;
}

/** Comparisons by the line of the table that they are counted in. */
export interface SuitePart {
  readonly name: string;
  readonly comparisons: readonly Comparison[];
  /** What was left out, and why. */
  readonly leftOut?: string;
}

/** Yields parts one by one: the numbers of one are freed before the next is made. */
export type Suite = (context: SuiteContext) => Iterable<SuitePart> | AsyncIterable<SuitePart>;

/** A comparison by whether something is as it must be. */
export function expectation(name: string, holds: () => string | undefined): Comparison {
  return (): Verdict => {
    const complaint = holds();
    return {
      name: complaint === undefined ? name : `${name}: ${complaint}`,
      error: complaint === undefined ? 0 : 1,
      tolerance: 0,
      passed: complaint === undefined,
    };
  };
}
