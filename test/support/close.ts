import { expect } from 'vitest';
import { at, type HostTensor } from './host-tensor.js';

/** Largest |got - want| / (1 + |want|): absolute for small values, relative for large ones. */
export function maxError(got: HostTensor, want: HostTensor): { error: number; index: number } {
  let worst = { error: 0, index: 0 };
  for (let index = 0; index < want.values.length; index++) {
    const expected = at(want.values, index);
    const distance = Math.abs(at(got.values, index) - expected) / (1 + Math.abs(expected));
    const error = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    if (error > worst.error) worst = { error, index };
  }
  return worst;
}

/** Equal shapes, and every element within `tolerance` by the measure of maxError. */
export function expectClose(got: HostTensor, want: HostTensor, tolerance: number, what = 'result'): void {
  expect(got.shape, `shape of ${what}`).toEqual(want.shape);
  const { error, index } = maxError(got, want);
  const found = `${got.values[index]} where ${want.values[index]} was expected`;
  expect(error, `${what}: element ${index} is ${found}`).toBeLessThanOrEqual(tolerance);
}
