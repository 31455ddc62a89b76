import { ConfigError } from '../../base/errors.js';
import { Rng } from '../../base/rng.js';
import { baseLoads } from '../../model/checkpoints/model-folders.js';
import { loadWeightsFrom } from '../../model/load.js';
import { MimicChatModel } from '../../model/mimic-chat.js';
import type { RunConfig } from '../config.js';
import { isEncoderParameter } from './encoder-hash.js';

/**
 * A run's model with values in its encoders alone: what `encodeFrames` needs. An 8B model's features take 2 GB, not 18.
 *
 * @throws ConfigError E_BASE_INCOMPLETE when the base has no weights of an encoder; CheckpointError for its files
 */
export async function loadEncoders(
  config: Pick<RunConfig, 'model' | 'base' | 'temporalBase' | 'seed'>,
): Promise<MimicChatModel> {
  const model = new MimicChatModel(config.model);
  try {
    const loads = baseLoads(config.model, config.base, config.temporalBase);
    for (const { path, ...options } of loads)
      await loadWeightsFrom(path, model, { ...options, only: isEncoderParameter });
    const empty = model.parameters.list().find((parameter) => isEncoderParameter(parameter) && !parameter.hasValue);
    if (loads.length > 0 && empty !== undefined) {
      const folders = [config.base, config.temporalBase].filter((folder) => folder !== undefined).join(' and ');
      throw new ConfigError('E_BASE_INCOMPLETE', `${folders}: no weights of the ${empty.part}.`, {
        hint: 'Name a folder that holds them as base or temporalBase; training refuses random frozen weights.',
      });
    }
    model.parameters.initialize(new Rng(config.seed, 'weights'), isEncoderParameter);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
