/** Matrix products: every form at small sizes beside float64, the common forms at large sizes beside the host device. */
import type { Device } from '../../src/backend/device.js';
import { errorOf } from '../../src/backend/self-test/device-array.js';
import { BF16_ROUNDING } from '../../src/backend/self-test/kernel-call.js';
import {
  MANY_PRODUCTS,
  type MatrixCase,
  matrixCases,
  runProduct,
  SMALL_PRODUCTS,
} from '../../src/backend/self-test/matrix-cases.js';
import { compareProduct, type Verdict } from '../../src/backend/self-test/self-test.js';
import type { SuiteContext, SuitePart } from '../suite.js';

const LARGE = [
  [512, 768, 1024],
  [333, 2049, 777],
] as const;
/** Two sums of 1024 products in different orders: measured 8e-6 between OpenBLAS and float64. */
const LARGE_TOLERANCE = 4e-5;

function besideHost(gpu: Device, host: Device, matrixCase: MatrixCase): Verdict {
  const tolerance = LARGE_TOLERANCE + (matrixCase.form.resultStorage === 'bf16' ? 2 * BF16_ROUNDING : 0);
  const error = errorOf(runProduct(gpu, matrixCase), runProduct(host, matrixCase));
  return { name: `gemm ${matrixCase.name}`, error, tolerance, passed: error <= tolerance };
}

export function* matrices({ gpu, host, quick }: SuiteContext): Iterable<SuitePart> {
  const cases = matrixCases(quick ? SMALL_PRODUCTS : MANY_PRODUCTS);
  for (const storage of ['f32', 'bf16'] as const) {
    const own = cases.filter(({ form }) => form.storage === storage);
    yield { name: `gemm, ${storage} operands`, comparisons: own.map((one) => () => compareProduct(gpu, one)) };
  }
  if (quick) return;
  const name = 'gemm, large';
  if (host === undefined) yield { name, comparisons: [], leftOut: 'there is no C++ compiler for the host device' };
  else yield { name, comparisons: matrixCases(LARGE).map((one) => () => besideHost(gpu, host, one)) };
}
