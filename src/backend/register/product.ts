import type { GemmProblem } from '../device.js';

/** A plain product of two matrices; a GemmProblem names what differs. */
export const SINGLE = {
  transposeA: false,
  transposeB: false,
  bias: 0,
  scale: 1,
  accumulate: false,
  activation: 'none',
  batch: 1,
  strideA: 0,
  strideB: 0,
  strideC: 0,
} as const satisfies Partial<GemmProblem>;
