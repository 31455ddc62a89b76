import { openSafetensors } from '../../src/model/weights/safetensors.js';
import type { Precision } from './sides.js';

export interface Agreement {
  /** Largest difference of two logits. */
  readonly maxAbs: number;
  readonly cosine: number;
  readonly sameTop: boolean;
}

/**
 * fp32: logits of standard deviation 1 after 24 blocks over 2,500 tokens; sums are in another order. bf16: both round each
 * of some hundred intermediate results to 8 bits, at different places.
 */
const MAX_ABS_FP32 = 1e-3;
const MIN_COSINE_BF16 = 0.99;

async function read(path: string): Promise<Float32Array> {
  const file = await openSafetensors(path);
  try {
    return await file.readFloat32('logits');
  } finally {
    await file.close();
  }
}

/** @throws Error when the two sides did not compute the same: their times would mean nothing */
export async function agreement(ours: string, peer: string, precision: Precision): Promise<Agreement> {
  const [a, b] = [await read(ours), await read(peer)];
  if (a.length !== b.length) throw new Error(`logits: ${a.length} ours, ${b.length} theirs`);
  let maxAbs = 0;
  let [dot, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? 0;
    maxAbs = Math.max(maxAbs, Math.abs(x - y));
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  const top = (values: Float32Array) => values.indexOf(values.reduce((most, x) => Math.max(most, x), -Infinity));
  const found = { maxAbs, cosine: dot / Math.sqrt(aa * bb), sameTop: top(a) === top(b) };
  if (precision === 'fp32' ? maxAbs <= MAX_ABS_FP32 : found.cosine >= MIN_COSINE_BF16) return found;
  throw new Error(`logits in ${precision} differ: ${JSON.stringify(found)}`);
}
