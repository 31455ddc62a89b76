/** Every element and row kernel in its storages: beside its definition in float64, and beside the host device. */
import type { Device, FloatStorage } from '../../src/backend/device.js';
import { KERNEL_FAMILIES } from '../../src/backend/self-test/calls/index.js';
import { MANY_SHAPES, SMALL_SHAPES } from '../../src/backend/self-test/calls/shapes.js';
import { errorOf } from '../../src/backend/self-test/device-array.js';
import {
  isStored,
  type KernelCall,
  launchName,
  runCall,
  tolerancesOf,
} from '../../src/backend/self-test/kernel-call.js';
import { type Comparison, callComparisons, type Verdict } from '../../src/backend/self-test/self-test.js';
import type { SuiteContext, SuitePart } from '../suite.js';

/** Each side may be off by the tolerance. */
function besideHost(gpu: Device, host: Device, call: KernelCall, storage: FloatStorage): Verdict {
  const [got, want] = [runCall(gpu, call, storage), runCall(host, call, storage)];
  const tolerances = tolerancesOf(call, storage).map((tolerance) => 2 * tolerance);
  const errors = want.map((values, i) => errorOf(got[i] ?? [], values));
  const wrong = errors.findIndex((error, i) => !(error <= (tolerances[i] ?? 0)));
  const at = wrong < 0 ? errors.indexOf(Math.max(...errors)) : wrong;
  return {
    name: `${launchName(call, storage)} ${call.shape} beside the host`,
    error: errors[at] ?? 0,
    tolerance: tolerances[at] ?? 0,
    passed: wrong < 0,
  };
}

function hostComparisons(gpu: Device, host: Device, calls: readonly KernelCall[]): Comparison[] {
  return calls.flatMap((call) => {
    const storages: FloatStorage[] = isStored(call) ? ['f32', 'bf16'] : ['f32'];
    return storages.map((storage) => () => besideHost(gpu, host, call, storage));
  });
}

export function* kernels({ gpu, host, quick }: SuiteContext): Iterable<SuitePart> {
  const shapes = quick ? SMALL_SHAPES : MANY_SHAPES;
  for (const [family, callsOf] of Object.entries(KERNEL_FAMILIES)) {
    const calls = callsOf(shapes);
    const comparisons = callComparisons(gpu, calls);
    if (host === undefined) {
      yield {
        name: family,
        comparisons,
        leftOut: 'the host device, as there is no C++ compiler; float64 loops remain',
      };
    } else {
      yield { name: family, comparisons: [...comparisons, ...hostComparisons(gpu, host, calls)] };
    }
  }
}
