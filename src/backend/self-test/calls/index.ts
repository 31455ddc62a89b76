/** Every kernel of src/backend/kernels, by family. */
import type { KernelCall } from '../kernel-call.js';
import { activationCalls } from './activation.js';
import { binaryCalls } from './binary.js';
import { cacheCalls } from './cache.js';
import { dropoutCalls } from './dropout.js';
import { fusionCalls } from './fusion.js';
import { integerMatmulCalls } from './integer-matmul.js';
import { lossCalls } from './loss.js';
import { movementCalls } from './movement.js';
import { normCalls } from './norm.js';
import { optimizerCalls } from './optimizer.js';
import { poolCalls } from './pool.js';
import { reduceCalls } from './reduce.js';
import { ropeCalls } from './rope.js';
import type { Shapes } from './shapes.js';
import { topKCalls } from './top-k.js';
import { unaryCalls } from './unary.js';

/** In the order of the sources' names. */
export const KERNEL_FAMILIES: Readonly<Record<string, (shapes: Shapes) => KernelCall[]>> = {
  activation: activationCalls,
  binary: binaryCalls,
  cache: cacheCalls,
  dropout: dropoutCalls,
  fusion: fusionCalls,
  'integer-matmul': integerMatmulCalls,
  loss: lossCalls,
  movement: movementCalls,
  norm: normCalls,
  optimizer: optimizerCalls,
  pool: poolCalls,
  reduce: reduceCalls,
  rope: ropeCalls,
  'top-k': topKCalls,
  unary: unaryCalls,
};
