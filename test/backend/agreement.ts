import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { maxError } from '../support/close.js';
import { hostTensor, sizeOf } from '../support/host-tensor.js';
import { NATIVE } from './native.js';

/** Values to start from, the same on both backends. */
export interface Source {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly values: readonly number[];
}

export interface AgreementCase {
  readonly name: string;
  readonly inputs: readonly Source[];
  readonly op: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
}

const rng = new Rng(7, 'agreement');

export function floats(...shape: number[]): Source {
  return { shape, dtype: 'float32', values: Array.from({ length: sizeOf(shape) }, () => Math.fround(rng.normal())) };
}

/** At least 0.1, for logarithms, roots and divisors. */
export function positive(...shape: number[]): Source {
  return { ...floats(...shape), values: floats(...shape).values.map((value) => Math.fround(Math.abs(value) + 0.1)) };
}

/** Small whole numbers in float32: their products and sums are exact in any order. */
export function whole(...shape: number[]): Source {
  return { ...ints(-4, 5, ...shape), dtype: 'float32' };
}

export function given(shape: number[], values: readonly number[], dtype: Source['dtype'] = 'float32'): Source {
  return { shape, dtype, values };
}

/** Integers in [low, high). */
export function ints(low: number, high: number, ...shape: number[]): Source {
  return { shape, dtype: 'int32', values: Array.from({ length: sizeOf(shape) }, () => low + rng.int(high - low)) };
}

export function bools(...shape: number[]): Source {
  return { shape, dtype: 'bool', values: Array.from({ length: sizeOf(shape) }, () => rng.int(2)) };
}

interface Result {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: ArrayLike<number>;
}

async function runOn(backend: string, { inputs, op }: AgreementCase): Promise<Result[]> {
  expect(await tf.setBackend(backend)).toBe(true);
  const before = tf.memory();
  const results = tf.tidy(() => {
    const tensors = inputs.map(({ shape, dtype, values }) => tf.tensor([...values], [...shape], dtype));
    const outputs = op(...tensors);
    return (Array.isArray(outputs) ? outputs : [outputs]).map((output) => output.clone());
  });
  const read = results.map((result) => ({ shape: result.shape, dtype: result.dtype, values: result.dataSync() }));
  tf.dispose(results);
  const after = tf.memory();
  expect(after.numTensors, `tensors left on ${backend}`).toBe(before.numTensors);
  expect(after.numDataBuffers, `data buffers left on ${backend}`).toBe(before.numDataBuffers);
  return read;
}

/** Holds each case on the native backend against TF.js's cpu backend: shapes, dtypes and values. `tolerance` is by maxError. */
export function describeAgreement(family: string, tolerance: number, cases: readonly AgreementCase[]): void {
  describe(`${family} agrees with TF.js's cpu backend`, () => {
    for (const agreementCase of cases) {
      it(agreementCase.name, async () => {
        tf.env().set('IS_TEST', true);
        const wanted = await runOn('cpu', agreementCase);
        const got = await runOn(NATIVE.name, agreementCase);
        expect(got.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
          wanted.map(({ shape, dtype }) => ({ shape, dtype })),
        );
        got.forEach(({ shape, values }, i) => {
          const want = wanted[i]?.values ?? [];
          expectSame(values, want, shape, tolerance);
        });
      });
    }
  });
}

/** NaN and infinities must sit at the same places; the rest is held to the tolerance. */
function expectSame(got: ArrayLike<number>, want: ArrayLike<number>, shape: number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  const special = (values: ArrayLike<number>) =>
    Array.from(values, (value, i) => `${i}: ${value}`).filter((_, i) => !Number.isFinite(values[i]));
  expect(special(got)).toEqual(special(want));
  const finite = (values: ArrayLike<number>) =>
    hostTensor(
      shape,
      Array.from(values, (value) => (Number.isFinite(value) ? value : 0)),
    );
  const { error, index } = maxError(finite(got), finite(want));
  expect(error, `element ${index} is ${got[index]} where ${want[index]} was expected`).toBeLessThanOrEqual(tolerance);
}
