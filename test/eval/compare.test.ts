import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { compareRuns } from '../../src/eval/compare.js';
import { answer } from './question.js';

const run = (rights: readonly boolean[], perVideo = 1) =>
  rights.map((isRight, i) => answer(`q${i}`, `v${Math.floor(i / perVideo)}`, isRight));
const fill = (count: number, value: boolean) => Array.from({ length: count }, () => value);

describe('compareRuns', () => {
  it('gives the exact p-value of a few videos', () => {
    // Five videos gain one each: of 32 sign patterns only all-plus and all-minus reach the sum of 5.
    const comparison = compareRuns(run(fill(5, false)), run(fill(5, true)));
    expect(comparison).toMatchObject({
      accuracyA: 0,
      accuracyB: 1,
      difference: 1,
      pValue: 2 / 32,
      exact: true,
      permutations: 32,
    });
  });

  it('finds no difference between a run and itself', () => {
    const same = run([true, false, true]);
    expect(compareRuns(same, same)).toMatchObject({ difference: 0, pValue: 1 });
  });

  it('takes videos as units: twenty questions of one video are one toss', () => {
    expect(compareRuns(run(fill(20, false), 20), run(fill(20, true), 20)).pValue).toBe(1);
  });

  it('comes close to the exact p-value with random patterns', () => {
    // Eight videos gain, three lose: 2 * (C(11,8) + C(11,9) + C(11,10) + C(11,11)) = 464 of 2048 patterns reach the sum of 5.
    const a = run([...fill(8, false), ...fill(3, true)]);
    const b = run([...fill(8, true), ...fill(3, false)]);
    expect(compareRuns(a, b)).toMatchObject({ pValue: 464 / 2048, exact: true });
    const drawn = compareRuns(a, b, { permutations: 2047 });
    expect(drawn.exact).toBe(false);
    // Standard error sqrt(p (1 - p) / 2047) = 0.0093; four of them.
    expect(Math.abs(drawn.pValue - 464 / 2048)).toBeLessThan(0.037);
  });

  it('is calibrated: p <= 0.05 in about 5 % of comparisons without a real difference', () => {
    const rng = new Rng(12, 'calibration');
    let low = 0;
    const trials = 400;
    for (let trial = 0; trial < trials; trial++) {
      const draw = () => run(Array.from({ length: 40 }, () => rng.uniform() < 0.6));
      if (compareRuns(draw(), draw(), { permutations: 300, seed: trial }).pValue <= 0.05) low++;
    }
    // Ties make the test conservative. More than 37 of 400 has probability 2e-4 under a rate of 5 %; the seed is fixed.
    expect(low).toBeLessThanOrEqual(37);
    expect(low).toBeGreaterThan(0);
  });

  it('refuses runs over different questions', () => {
    const a = run([true, false]);
    expect(() => compareRuns(a, run([true]))).toThrow(
      'the runs share 1 questions, expected all: 2 in the first, 1 in the second',
    );
    expect(() => compareRuns(a, [...a, answer('other', 'v', true)])).toThrow('the runs share 2 questions');
    expect(() => compareRuns([], [])).toThrow('the runs share 0 questions');
    expect(() =>
      compareRuns(
        a,
        a.map((one) => ({ ...one, answer: 3 })),
      ),
    ).toThrow('the runs share 0 questions');
  });
});
