import type { Suite } from '../suite.js';
import { attention } from './attention.js';
import { kernels } from './kernels.js';
import { largeOffsets } from './large-offsets.js';
import { matrices } from './matrices.js';
import { memory } from './memory.js';
import { model } from './model.js';
import { recording } from './recording.js';

/** In the order in which a failure of one explains the next. */
export const SUITES: Readonly<Record<string, Suite>> = {
  kernels,
  matrices,
  attention,
  recording,
  memory,
  model,
  'large-offsets': largeOffsets,
};
