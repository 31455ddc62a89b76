import { describe, expect, it } from 'vitest';
import type { Estimate, Estimates } from '../../src/ablation/estimate.js';
import { findingsOf, verdictOf } from '../../src/ablation/findings.js';

const estimate = (mean: number, low: number, high: number, runs = 9): Estimate => {
  return { mean, low, high, bootstrap: [low, high], values: Array.from({ length: runs }, () => mean) };
};

describe('a verdict', () => {
  const gap = estimate(0.7, 0.65, 0.75);
  it.each([
    ['chance inside a narrow interval, and a real fall', estimate(0.26, 0.23, 0.3), gap, 'at chance'],
    ['chance inside an interval too wide to say so', estimate(0.3, 0.1, 0.5), gap, 'lower'],
    ['above chance', estimate(0.3, 0.27, 0.33), gap, 'lower'],
    ['both at chance is no fall', estimate(0.25, 0.22, 0.28), estimate(0.0, -0.02, 0.02), 'same'],
    ['a difference within 5 points', estimate(0.9, 0.89, 0.91), estimate(0.02, 0.01, 0.03), 'same'],
    ['a difference that may be zero or large', estimate(0.9, 0.8, 1), estimate(0.02, -0.01, 0.06), 'open'],
    ['a rise', estimate(0.9, 0.89, 0.91), estimate(-0.2, -0.3, -0.1), 'higher'],
    ['too few runs', estimate(0.26, 0.23, 0.3, 2), estimate(0.7, 0.65, 0.75, 2), 'open'],
  ] as const)('%s', (_, own, difference, verdict) => {
    expect(verdictOf(own, difference)).toBe(verdict);
  });
});

describe('findings', () => {
  const high = estimate(0.99, 0.98, 1);
  const chance = estimate(0.25, 0.23, 0.27);
  const estimates: Estimates = {
    columns: ['task:title', 'axis:spatial', 'axis:temporal', 'micro', 'macro'],
    of: (variant, column) =>
      variant === 'full'
        ? high
        : variant !== 'no-temporal-encoder'
          ? undefined
          : column === 'axis:temporal'
            ? chance
            : high,
    difference: (_, variant, column) =>
      variant !== 'no-temporal-encoder'
        ? undefined
        : column === 'axis:temporal'
          ? estimate(0.74, 0.72, 0.76)
          : estimate(0.001, -0.004, 0.006),
  };

  it('name figures, intervals and the paper beside, for the pairs that were run', () => {
    const [only, ...others] = findingsOf(estimates);
    expect(others).toEqual([]);
    expect(only?.findings.map(({ text }) => text)).toEqual([
      'Without the temporal encoder, spatial questions hold, no difference beyond 5 points: 99.0 %, full 99.0 %, full minus variant +0.1 points (-0.4 to +0.6).',
      'Without the temporal encoder, temporal questions cannot be told from chance, 25 %: 25.0 % (23.0 to 27.0); full 99.0 %, full minus variant +74.0 points (+72.0 to +76.0).',
    ]);
    expect(only?.open).toEqual([]);
    expect(only?.paper).toContain('65.8 against 74.1');
  });

  it('fall back to the mean of the tasks where no question has an axis', () => {
    const [only] = findingsOf({ ...estimates, columns: ['task:title', 'micro', 'macro'] });
    expect(only?.findings.map(({ column }) => column)).toEqual(['macro']);
  });
});
