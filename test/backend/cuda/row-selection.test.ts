import { describe, expect, it } from 'vitest';
import { checkFlash, type FlashCase } from '../../support/cuda/flash-check.js';

/** T rows of S numbers; H to find (top), G the distance of neighbours (arg). Values repeat, so that order among equals shows. */
const CASES: readonly FlashCase[] = [
  { path: 'top', T: 5, S: 3, H: 3, D: 1 },
  { path: 'top', T: 3, S: 1000, H: 40, D: 1, reversed: true },
  { path: 'topint', T: 4, S: 301, H: 301, D: 1 },
  { path: 'arg', T: 7, S: 300, D: 1 },
  { path: 'argleast', T: 6, S: 300, G: 3, D: 1, reversed: true },
  { path: 'argleastint', T: 6, S: 301, G: 3, D: 1 },
  { path: 'argnan', T: 6, S: 307, G: 2, D: 1 },
  { path: 'argleastnan', T: 6, S: 1, G: 2, D: 1 },
];

describe('arg_extreme and top_k with a block of lanes a row, emulated', () => {
  it('find the first of equals, like one lane would', { timeout: 240_000 }, async () => {
    const results = await checkFlash(CASES);
    expect(results.map(({ problem }, i) => `${CASES[i]?.path}: ${problem}`)).toEqual(
      CASES.map(({ path }) => `${path}: ok`),
    );
  });
});
