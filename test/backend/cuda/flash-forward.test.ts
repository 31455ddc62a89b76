import { describe } from 'vitest';
import type { FlashCase } from '../../support/cuda/flash-check.js';
import { itMatches, LENGTHS } from './flash-cases.js';

const DIMS = [64, 128, 32, 80, 96, 72, 8] as const;

/** Every length of queries against three of keys, settings in turn. */
const CASES: readonly FlashCase[] = LENGTHS.flatMap((T, t) =>
  [0, 3, 7].map((step, j): FlashCase => {
    const i = t * 3 + j;
    const S = LENGTHS[(t + step) % LENGTHS.length] ?? 0;
    const G = 1 + (i % 2);
    return {
      path: i % 3 === 0 ? 'forward128' : 'forward64',
      B: 1 + Number(i % 4 === 0),
      T,
      S,
      capacity: S + (i % 3),
      H: G * 2 ** (i % 3),
      G,
      D: DIMS[i % DIMS.length] ?? 64,
      causal: i % 2 === 1,
      masked: i % 5 < 2,
      counted: i % 4 === 1,
      reversed: i % 3 === 1,
    };
  }),
);

describe('flash attention forward, emulated', () => {
  // Measured over 144 pairs of lengths: o 0.0088 (bf16 rounds P and o, 2^-9 each), lse 1.3e-7 (fp32).
  itMatches('equals its definition in float64', CASES, [0.018, 5e-7]);

  // Scores of hundreds: o is one row of v; lse has the fp32 error of scores that size.
  itMatches(
    'keeps its accuracy when scores are in the hundreds',
    [
      { path: 'forward64', T: 65, S: 130, H: 2, D: 64, steep: true },
      { path: 'forward128', T: 130, S: 257, D: 128, causal: true, steep: true, reversed: true },
    ],
    [0.018, 2e-6],
  );
});
