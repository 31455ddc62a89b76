import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll } from 'vitest';
import { registerReferenceKernels } from './reference-kernels.js';

export interface TestBackend {
  readonly label: string;
  /** Name in TF.js's registry. */
  readonly name: string;
  /** Whether the fused kernels are stood in for by formulas. */
  readonly hasReferenceKernels: boolean;
}

export const CPU: TestBackend = { label: 'cpu', name: 'cpu', hasReferenceKernels: false };
export const WASM: TestBackend = { label: 'wasm', name: 'wasm', hasReferenceKernels: false };
export const FUSED: TestBackend = { label: 'cpu with fused kernels', name: 'cpu', hasReferenceKernels: true };

/** Backends that every machine has. */
export const PORTABLE_BACKENDS: readonly TestBackend[] = [CPU, WASM, FUSED];

/** Makes `backend` current for the tests of the enclosing suite. */
export function useBackend({ name, hasReferenceKernels }: TestBackend): void {
  let unregister: (() => void) | undefined;
  beforeAll(async () => {
    // Has the engine look for buffers lost inside kernels too. On wasm a clone is a copy, which it takes for a loss.
    tf.env().set('IS_TEST', name !== 'wasm');
    await tf.setBackend(name);
    await tf.ready();
    if (hasReferenceKernels) unregister = registerReferenceKernels();
  });
  afterAll(() => unregister?.());
}
