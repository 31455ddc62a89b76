/** How far our numbers are from the reference's. */
import { expect } from 'vitest';
import { at, type HostTensor } from '../support/host-tensor.js';

export function maxDifference(got: HostTensor, want: HostTensor): number {
  expect(got.shape).toEqual(want.shape);
  return want.values.reduce((worst, value, i) => Math.max(worst, Math.abs(at(got.values, i) - value)), 0);
}

/** Largest difference in units of the largest value: a gradient's elements are summed in one go, so they share a scale. */
export function relativeError(got: HostTensor, want: HostTensor): number {
  return maxDifference(got, want) / want.values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

export function cosine(got: HostTensor, want: HostTensor): number {
  const dot = (a: HostTensor, b: HostTensor) => a.values.reduce((sum, value, i) => sum + value * at(b.values, i), 0);
  return dot(got, want) / Math.sqrt(dot(got, got) * dot(want, want));
}

/** Share of rows whose largest element is the same one. */
export function top1Agreement(got: HostTensor, want: HostTensor): number {
  const columns = want.shape.at(-1) ?? 1;
  const rows = want.values.length / columns;
  const best = ({ values }: HostTensor, row: number) => {
    const part = values.subarray(row * columns, (row + 1) * columns);
    return part.indexOf(Math.max(...part));
  };
  return Array.from({ length: rows }, (_, row) => best(got, row) === best(want, row)).filter(Boolean).length / rows;
}
