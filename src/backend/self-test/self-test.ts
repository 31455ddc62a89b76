/** Real launches on a device beside plain loops in float64: one verdict a kernel family. */
import type { Device, FloatStorage } from '../device.js';
import {
  type AttentionCase,
  type AttentionResult,
  expectedAttention,
  runAttention,
  smallAttention,
} from './attention-cases.js';
import { KERNEL_FAMILIES } from './calls/index.js';
import { SMALL_SHAPES } from './calls/shapes.js';
import { errorOf } from './device-array.js';
import {
  BF16_ROUNDING,
  expectedOf,
  F32_TOLERANCE,
  isStored,
  type KernelCall,
  launchName,
  runCall,
  tolerancesOf,
} from './kernel-call.js';
import { expectedProduct, type MatrixCase, matrixCases, runProduct, SMALL_PRODUCTS } from './matrix-cases.js';

/** One comparison: its error is over `tolerance` when `ratio` exceeds 1. */
export interface Verdict {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
  readonly passed: boolean;
  /** The message of what was thrown instead of a result. */
  readonly failure?: string;
}

export interface FamilyResult {
  readonly family: string;
  readonly cases: number;
  readonly failed: number;
  /** The largest error of the cases that ran. */
  readonly maxError: number;
  readonly milliseconds: number;
  /** The first failures, in words. */
  readonly failures: readonly string[];
}

/** A comparison that may fail in any way. */
export type Comparison = () => Verdict;

function verdict(name: string, results: readonly { error: number; tolerance: number }[]): Verdict {
  const worst = results.reduce((a, b) => (b.error * a.tolerance > a.error * b.tolerance ? b : a), {
    error: 0,
    tolerance: 1,
  });
  const wrong = results.find(({ error, tolerance }) => !(error <= tolerance));
  return { name, ...(wrong ?? worst), passed: wrong === undefined };
}

export function compareCall(device: Device, call: KernelCall, storage: FloatStorage): Verdict {
  const got = runCall(device, call, storage);
  const want = expectedOf(call, storage);
  const tolerances = tolerancesOf(call, storage);
  const results = want.map((values, i) => ({
    error: errorOf(got[i] ?? [], values),
    tolerance: tolerances[i] ?? 0,
  }));
  return verdict(`${launchName(call, storage)} ${call.shape}`, results);
}

export function compareProduct(device: Device, matrixCase: MatrixCase): Verdict {
  const { resultStorage, hasBias } = matrixCase.form;
  // A GPU's library adds a bf16 bias to a bf16 result: two roundings.
  const rounding = resultStorage === 'bf16' ? (hasBias ? 2 : 1) * BF16_ROUNDING : 0;
  const error = errorOf(runProduct(device, matrixCase), expectedProduct(matrixCase));
  return verdict(`gemm ${matrixCase.name}`, [{ error, tolerance: F32_TOLERANCE + rounding }]);
}

/**
 * Softmax weights and gradients of scores are rounded to bf16 inside, so that errors add up over the keys: measured
 * over manyAttention on the host 4.1e-6 in f32 and 1.7e-2 (gradients) in bf16.
 */
const ATTENTION_TOLERANCE = { f32: 1e-4, bf16: 4e-2 } as const;

export function compareAttention(device: Device, c: AttentionCase): Verdict {
  return attentionVerdict(c, runAttention(device, c), expectedAttention(c));
}

export function attentionVerdict(c: AttentionCase, got: AttentionResult, want: AttentionResult): Verdict {
  const tolerance = ATTENTION_TOLERANCE[c.storage];
  const parts = ['o', 'lse', 'dq', 'dk', 'dv'] as const;
  const results = parts.map((part) => ({ error: errorOf(got[part], want[part]), tolerance }));
  return verdict(`attention ${c.name}`, results);
}

/** Every call in the storages that its kernel has. */
export function callComparisons(device: Device, calls: readonly KernelCall[]): Comparison[] {
  return calls.flatMap((call) => {
    const storages: FloatStorage[] = isStored(call) ? ['f32', 'bf16'] : ['f32'];
    return storages.map(
      (storage): Comparison =>
        () =>
          compareCall(device, call, storage),
    );
  });
}

/** The comparisons of the short self-test, by family; made when asked for. */
export function smallComparisons(device: Device): Readonly<Record<string, () => Comparison[]>> {
  const kernels = Object.entries(KERNEL_FAMILIES).map(([family, calls]) => [
    family,
    () => callComparisons(device, calls(SMALL_SHAPES)),
  ]);
  return {
    ...Object.fromEntries(kernels),
    gemm: () => matrixCases(SMALL_PRODUCTS).map((matrixCase) => () => compareProduct(device, matrixCase)),
    attention: () => smallAttention().map((attentionCase) => () => compareAttention(device, attentionCase)),
  };
}

const SHOWN_FAILURES = 5;

/** Runs comparisons to the end: a failure or an exception counts and does not stop the rest. */
export function runFamily(family: string, comparisons: readonly Comparison[]): FamilyResult {
  const started = performance.now();
  const failures: string[] = [];
  let maxError = 0;
  for (const compare of comparisons) {
    try {
      const { name, error, tolerance, passed } = compare();
      if (Number.isFinite(error)) maxError = Math.max(maxError, error);
      if (!passed) failures.push(`${name}: error ${error.toExponential(1)}, at most ${tolerance.toExponential(1)}`);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return {
    family,
    cases: comparisons.length,
    failed: failures.length,
    maxError,
    milliseconds: performance.now() - started,
    failures: failures.slice(0, SHOWN_FAILURES),
  };
}

/** The short self-test: some hundred launches. */
export function selfTest(device: Device): FamilyResult[] {
  return Object.entries(smallComparisons(device)).map(([family, comparisons]) => runFamily(family, comparisons()));
}
