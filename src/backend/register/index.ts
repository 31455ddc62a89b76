/** Registers every kernel for a backend name; `native` and `null` share them. */
import { registerActivation } from './activation.js';
import { registerAttention } from './attention.js';
import { registerBinary } from './binary.js';
import { registerIndexing } from './indexing.js';
import { registerLoss } from './loss.js';
import { registerMatMul } from './matmul.js';
import { registerMovement } from './movement.js';
import { registerNormalization } from './normalization.js';
import { registerOptimizer } from './optimizer.js';
import { registerReduce } from './reduce.js';
import { registerRope } from './rope.js';
import { registerUnary } from './unary.js';

const FAMILIES = [
  registerUnary,
  registerBinary,
  registerReduce,
  registerMovement,
  registerIndexing,
  registerMatMul,
  registerActivation,
  registerNormalization,
  registerRope,
  registerAttention,
  registerLoss,
  registerOptimizer,
];

export function registerKernels(backendName: string): void {
  for (const register of FAMILIES) register(backendName);
}
