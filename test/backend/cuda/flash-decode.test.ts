import { describe } from 'vitest';
import type { FlashCase } from '../../support/cuda/flash-check.js';
import { itMatches } from './flash-cases.js';

const DIMS = [64, 128, 32, 80, 96] as const;

const CASES: readonly FlashCase[] = [1, 2, 5, 16].flatMap((T, t) =>
  [0, 1, 17, 64, 130, 700].map((S, s): FlashCase => {
    const i = t * 6 + s;
    return {
      // More splits than there are steps of 64 keys: some are empty.
      path: `decode${[1, 3, 7][i % 3]}`,
      B: 2,
      T,
      S,
      capacity: S + (s % 3),
      H: 2 * 2 ** ((t + s) % 4),
      G: 2,
      D: DIMS[i % DIMS.length] ?? 64,
      causal: s % 2 === 0,
      masked: i % 3 === 0,
      counted: t % 2 === 0,
      reversed: i % 4 === 3,
    };
  }),
);

describe('decode attention with split keys, emulated', () => {
  // Measured: o 0.0056, lse 1.3e-7.
  itMatches('equals its definition in float64', CASES, [0.015, 5e-7]);
});

describe('softmax of the simple path, emulated', () => {
  const base: FlashCase = { path: 'simple16', B: 2, T: 33, S: 40, capacity: 44, H: 4, G: 2, D: 5 };
  const variants: readonly FlashCase[] = [
    { ...base, causal: true, masked: true, counted: true },
    { ...base, T: 5, S: 1, capacity: 1 },
    { ...base, T: 40, S: 7, capacity: 7, causal: true, reversed: true },
    { ...base, T: 3, S: 300, capacity: 300, masked: true },
  ];
  // Measured: bf16 o 0.005, dq 0.006, dk 0.006, dv 0.005; f32 all below 1.1e-6.
  itMatches('equals its definition in float64 with bf16 storage', variants, [0.015, 5e-7, 0.03, 0.03, 0.03]);
  const inF32 = variants.map((variant): FlashCase => ({ ...variant, path: 'simple16f32' }));
  itMatches('equals its definition in float64 with f32 storage', inF32, [3e-6, 5e-7, 3e-6, 3e-6, 3e-6]);
});
