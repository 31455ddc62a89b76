import { sha256 } from '../../../src/base/hash.js';
import { Rng } from '../../../src/base/rng.js';
import type { HostFeatures } from '../../../src/train/features/host-features.js';

/** A key like those of entries. */
export const keyOf = (name: string): string => sha256(name);

/** Random features of one video, small. */
export function featuresOf(seed: number, { rows = 4, width = 5 } = {}): HostFeatures {
  const rng = new Rng(seed, 'features');
  const array = (count: number) => ({
    shape: [count, width] as const,
    data: Float32Array.from({ length: count * width }, () => rng.normal()),
  });
  return { kind: 'video', spatial_ND: array(rows), temporal_MD: array(2) };
}
