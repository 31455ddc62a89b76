import { describe, expect, it } from 'vitest';
import { Curve, MovingMean } from '../../../src/train/report/curve.js';

describe('Curve', () => {
  it('keeps a short run as it is', () => {
    const curve = new Curve(8);
    for (let step = 1; step <= 8; step++) curve.add(step, [step * 10]);
    expect(curve.list().map(({ step, values }) => [step, ...values])).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, n * 10]),
    );
  });

  it('holds a long run in bounded memory, each step in the mean of one stretch', () => {
    const curve = new Curve(8);
    const value = (step: number) => Math.sin(step) + step / 100;
    for (let step = 1; step <= 1001; step++) curve.add(step, [value(step)]);
    const points = curve.list();
    expect(points.length).toBeGreaterThan(3);
    expect(points.length).toBeLessThanOrEqual(8);
    expect(points.reduce((sum, { steps }) => sum + steps, 0)).toBe(1001);
    let done = 0;
    for (const { step, steps, values } of points) {
      expect(step).toBe(done + steps);
      const plain = Array.from({ length: steps }, (_, i) => value(done + i + 1)).reduce((a, b) => a + b, 0) / steps;
      // Measured: 2e-15, the order of the sum.
      expect(values[0]).toBeCloseTo(plain, 12);
      done = step;
    }
  });

  it('has a value wherever a step of the stretch has one', () => {
    const curve = new Curve(2);
    for (const [i, value] of [1, Number.NaN, Number.NaN, 4, 5].entries()) curve.add(i + 1, [value]);
    expect(curve.list().map(({ values: [value] }) => value)).toEqual([2.5, 5]);
  });

  it('forgets what a resumed run does again, and goes on from there', () => {
    const curve = new Curve(100);
    for (let step = 1; step <= 7; step++) curve.add(step, [1]);
    curve.truncate(5);
    curve.add(6, [2]);
    expect(curve.list().map(({ step, values: [value] }) => [step, value])).toEqual([
      ...[1, 2, 3, 4, 5].map((step) => [step, 1]),
      [6, 2],
    ]);
  });
});

describe('MovingMean', () => {
  it('is unbiased from the first value on, and passes over what is not finite', () => {
    const mean = new MovingMean(10);
    expect(mean.add(3)).toBeCloseTo(3, 12);
    expect(mean.add(Number.NaN)).toBeCloseTo(3, 12);
    // (3 * 0.9 + 5) / (0.9 + 1)
    expect(mean.add(5)).toBeCloseTo(7.7 / 1.9, 12);
  });

  it('takes several equal values at once', () => {
    const [one, many] = [new MovingMean(10), new MovingMean(10)];
    one.add(1);
    many.add(1);
    for (let i = 0; i < 4; i++) one.add(6);
    expect(many.add(6, 4)).toBeCloseTo(one.add(Number.NaN), 12);
  });
});
