/** Registers every kernel for a backend name; `native` and `null` share them. */
import { registerActivation } from './activation.js';
import { registerAttention } from './attention.js';
import { registerBinary } from './binary.js';
import { registerCache } from './cache.js';
import { registerDropout } from './dropout.js';
import { registerFusion } from './fusion.js';
import { registerIndexing } from './indexing.js';
import { registerLinear } from './linear.js';
import { registerLora } from './lora.js';
import { registerLoss } from './loss.js';
import { registerMatMul } from './matmul.js';
import { registerMovement } from './movement.js';
import { registerNormalization } from './normalization.js';
import { registerOptimizer } from './optimizer.js';
import { registerPool } from './pool.js';
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
  registerLinear,
  registerLora,
  registerActivation,
  registerNormalization,
  registerRope,
  registerAttention,
  registerLoss,
  registerCache,
  registerFusion,
  registerPool,
  registerDropout,
  registerOptimizer,
];

export function registerKernels(backendName: string): void {
  for (const register of FAMILIES) register(backendName);
}
