/** A folder as its publisher made it: what its JSON says, checked against the names of its weights. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointError } from '../../base/errors.js';
import { openWeights } from '../weights/open-weights.js';
import type { WeightSource } from '../weights/source.js';
import { type BaseConfig, readBaseConfig } from './base-config/read-base-config.js';
import { type LoraFound, loraOf } from './lora-of.js';

export interface PublishedFolder extends BaseConfig {
  /** Adapters inside the model, as InternVL's training script saves them; their scale is always 2. */
  readonly lora: (LoraFound & { readonly alpha: number }) | undefined;
}

/** A folder of ours has config.yaml, which says all. */
export function isOwnFolder(dir: string): boolean {
  return existsSync(join(dir, 'config.yaml'));
}

/**
 * @returns undefined for a folder of ours, and for one that has no config.json
 * @throws CheckpointError E_BASE_CONFIG, E_LORA_RANK, and those of `openWeights`
 */
export async function inspectPublished(dir: string): Promise<PublishedFolder | undefined> {
  if (isOwnFolder(dir) || !existsSync(join(dir, 'config.json'))) return undefined;
  const source = await openIfPresent(dir);
  try {
    const config = await readBaseConfig(dir, source?.tensors.keys());
    if (config === undefined) return undefined;
    const family = config.model.language?.family;
    const found = source === undefined || family === undefined ? undefined : loraOf(source, family);
    if (found !== undefined && config.loraRank > 0 && config.loraRank !== found.rank) {
      const message = `${config.file}: use_llm_lora: got ${config.loraRank}, expected ${found.rank}, the rank of the adapters beside it.`;
      throw new CheckpointError('E_LORA_RANK', message);
    }
    if (source !== undefined && found === undefined && config.loraRank > 0) {
      const message = `${config.file}: use_llm_lora: got ${config.loraRank}, and the weights beside it hold no adapter.`;
      throw new CheckpointError('E_LORA_RANK', message, {
        hint: 'Set it to 0, as tools/merge_lora.py does after a merge.',
      });
    }
    return { ...config, lora: found === undefined ? undefined : { ...found, alpha: 2 * found.rank } };
  } finally {
    await source?.close();
  }
}

/** Sizes can be read, and a run planned, before the weights are there. */
async function openIfPresent(dir: string): Promise<WeightSource | undefined> {
  return openWeights(dir).catch((error: unknown) => {
    if (error instanceof CheckpointError && error.code === 'E_WEIGHTS_ABSENT') return undefined;
    throw error;
  });
}
