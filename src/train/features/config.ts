import { join } from 'node:path';
import { z } from 'zod';

/** Where features of the frozen encoders are kept between visits and between runs. */
export const FeatureCacheSchema = z
  .strictObject({
    dir: z
      .string()
      .optional()
      .describe('folder of the cache; any number of runs and processes may share it; default: `features` under `out`'),
    maxGiB: z
      .number()
      .nonnegative()
      .default(50)
      .describe(
        'disk space for features, in GiB (2^30 bytes); the least recently used go first, never those that this run uses; ' +
          '0 switches the cache off',
      ),
  })
  .prefault({});

/** @returns null when the cache is switched off */
export function featureCachePlace(config: {
  readonly out: string;
  readonly train: { readonly featureCache: z.output<typeof FeatureCacheSchema> };
}): { readonly dir: string; readonly maxBytes: number } | null {
  const { dir, maxGiB } = config.train.featureCache;
  return maxGiB === 0 ? null : { dir: dir ?? join(config.out, 'features'), maxBytes: maxGiB * 2 ** 30 };
}
