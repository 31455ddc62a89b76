/** The model, prompt and video sections that an imported adapter gets: given, or those that adapter or base come with. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { loadConfig } from '../base/config.js';
import { log } from '../base/logger.js';
import { PromptSchema } from '../data/prompt.js';
import { SamplingSchema } from '../data/video/sampling.js';
import { baseLoads, type FolderPlan, planFolder } from '../model/checkpoints/model-folders.js';
import { ModelSchema } from '../model/config.js';
import { ADAPTER_FILES } from './adapter-files.js';

/** A run's configuration has more sections; they decide nothing here. */
const SectionsSchema = z.looseObject({
  model: ModelSchema.prefault({}),
  prompt: PromptSchema.prefault({}),
  video: SamplingSchema.omit({ size: true, numFrames: true }).prefault({}),
  train: z.looseObject({ maxLength: z.int().positive().optional() }).optional(),
  temporalBase: z.string().optional(),
});

export type ImportBase = Pick<FolderPlan, 'model' | 'config' | 'loads' | 'freshParts'> & {
  readonly temporalBase: string | undefined;
};

/** @throws ConfigError as `loadConfig`; CheckpointError as `planFolder` */
export async function importBase(options: {
  readonly adapter: string;
  readonly base: string;
  readonly config?: string | undefined;
}): Promise<ImportBase> {
  const beside = join(options.adapter, ADAPTER_FILES.config);
  const file = options.config ?? (existsSync(beside) ? beside : undefined);
  if (file === undefined) return { ...(await planFolder(options.base)), temporalBase: undefined };
  log.debug(`model, prompt and video as in ${file}`);
  const { config } = await loadConfig(SectionsSchema, { file });
  const temporalBase = config.temporalBase === undefined ? undefined : resolve(config.temporalBase);
  const loads = baseLoads(config.model, options.base, temporalBase);
  return { model: config.model, config, loads, freshParts: NEUTRAL_PARTS, temporalBase };
}

/** At their first values these leave a plain InternVL as it is; what would change it must come from somewhere. */
const NEUTRAL_PARTS = ['positions', 'gated fusion', 'special tokens'] as const;
