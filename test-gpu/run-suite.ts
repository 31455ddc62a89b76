/** One suite on one GPU. */
import { CudaDevice } from '../src/backend/cuda/cuda-device.js';
import type { Device } from '../src/backend/device.js';
import { HostDevice } from '../src/backend/host/host-device.js';
import { type FamilyResult, runFamily } from '../src/backend/self-test/self-test.js';
import { BackendError } from '../src/base/errors.js';
import type { Suite, SuiteContext } from './suite.js';

export interface PartResult extends FamilyResult {
  readonly leftOut?: string;
}

async function hostDevice(): Promise<Device | undefined> {
  try {
    return await HostDevice.create();
  } catch (error) {
    if (error instanceof BackendError) return undefined; // no compiler: each part says what that leaves out
    throw error;
  }
}

/** Calls `onPart` as each part of the suite ends. What a suite itself throws is a failed part. */
export async function runSuite(
  name: string,
  suite: Suite,
  options: { readonly index: number; readonly quick: boolean },
  onPart: (part: PartResult) => void,
): Promise<void> {
  const gpu = await CudaDevice.create({ index: options.index });
  const host = await hostDevice();
  const context: SuiteContext = { gpu, host, ...options };
  try {
    for await (const { name: part, comparisons, leftOut } of suite(context)) {
      const result = runFamily(part, comparisons);
      onPart(leftOut === undefined ? result : { ...result, leftOut });
    }
  } catch (error) {
    const failures = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    onPart({ family: name, cases: 1, failed: 1, maxError: 0, milliseconds: 0, failures });
  } finally {
    gpu.dispose();
    host?.dispose();
  }
}
