/** Expectations on emulated attention kernels, shared by the test files. */
import { expect, it } from 'vitest';
import { checkFlash, type FlashCase } from '../../support/cuda/flash-check.js';

/** Below, at and beyond the edges of every block (16 and 64 queries and keys, 32 keys, 128 of either). */
export const LENGTHS = [0, 1, 2, 15, 16, 17, 63, 64, 65, 127, 130, 257] as const;

export function nameOf(c: FlashCase): string {
  const { path, B = 1, T, S, capacity = S, H = 1, G = 1, D } = c;
  const flags = (['causal', 'masked', 'counted', 'reversed', 'steep'] as const).filter((flag) => c[flag] === true);
  return [`${path}: B ${B}, T ${T}, S ${S} of ${capacity}, H ${H}, G ${G}, D ${D}`, ...flags].join(', ');
}

/** One program run for all cases; a failure names each case that misses a tolerance: o, lse, dq, dk, dv. */
export function itMatches(title: string, cases: readonly FlashCase[], tolerances: readonly number[]): void {
  it(`${title} (${cases.length} cases)`, { timeout: 240_000 }, async () => {
    const results = await checkFlash(cases);
    const failures = results.flatMap(({ problem, errors }, i) => {
      const given = cases[i];
      if (given === undefined) throw new RangeError('more results than cases');
      const wrong = errors.some((error, k) => !(error <= (tolerances[k] ?? 0)));
      return problem === 'ok' && !wrong ? [] : [`${nameOf(given)}: ${problem} ${errors.join(' ')}`];
    });
    expect(failures).toEqual([]);
  });
}
