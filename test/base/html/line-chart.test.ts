import { describe, expect, it } from 'vitest';
import { lineChart, rangeOf } from '../../../src/base/html/line-chart.js';

const line = (label: string, ...values: number[]) => {
  return { label, className: 's0', points: values.map((y, x) => ({ x, y })) };
};
const options = { title: 't', xLabel: 'step', yLabel: 'y' };

describe('lineChart', () => {
  it('leaves a gap where a value is not finite', () => {
    const svg = lineChart([line('loss', 1, Number.NaN, 2, 3)], options);
    expect(svg.match(/<polyline/g)?.length).toBe(2);
    expect(svg.match(/<circle/g)?.length).toBe(3);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('names many lines below the plot, in as many rows as they need', () => {
    const height = (count: number) =>
      Number(
        /viewBox="0 0 420 (\d+)"/.exec(
          lineChart(
            Array.from({ length: count }, () => line('comment-popularity', 1)),
            options,
          ),
        )?.[1],
      );
    expect(height(1)).toBe(220);
    expect(height(2)).toBe(236);
    expect(height(7)).toBeGreaterThan(236);
  });

  it('marks the axis with even numbers of as many decimals', () => {
    const ticks = (...values: number[]) => {
      const labels = lineChart([line('loss', ...values)], options).matchAll(/text-anchor="end" >([^<]+)</g);
      return Array.from(labels, ([, label]) => label);
    };
    expect(ticks(6.3)).toEqual(['0', '2', '4', '6', '8']);
    expect(ticks(0.9)).toEqual(['0', '0.25', '0.50', '0.75', '1.00']);
    expect(ticks(2.4)).toEqual(['0', '0.75', '1.50', '2.25', '3.00']);
    expect(ticks(180)).toEqual(['0', '50', '100', '150', '200']);
  });

  it('writes small and large numbers short', () => {
    expect(lineChart([line('lr', 1e-5, 4e-5)], options)).toContain('>1.5e-5<');
    expect(lineChart([line('tok/s', 0, 40_000)], options)).toContain('>15k<');
  });
});

describe('rangeOf', () => {
  it('starts at 0 unless the curve lies far above it', () => {
    expect(rangeOf([line('a', 1, 10)])).toEqual([0, 20]);
    const [low, high] = rangeOf([line('b', 2.13, 2.18)]);
    expect(low).toBeCloseTo(2.13, 9);
    expect(high).toBeCloseTo(2.19, 9);
    expect(rangeOf([])).toEqual([0, 1]);
  });
});
