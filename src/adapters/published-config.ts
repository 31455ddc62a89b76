/** config.json and preprocessor_config.json for converted weights, where those of the base are of another layout. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { internVlFiles } from '../model/random-weights/config-files.js';
import type { CheckpointFolder } from './checkpoint-folder.js';

/**
 * @param modelType internvl_chat: OpenGVLab's; internvl: transformers'
 * @param copied the folder that already holds a config.json, if it does
 * @returns file name and text; none when the one that is there will do
 */
export async function publishedConfig(
  { plan }: Pick<CheckpointFolder, 'plan'>,
  modelType: 'internvl_chat' | 'internvl',
  copied: string | undefined,
): Promise<[name: string, text: string][]> {
  if (copied !== undefined) {
    const json = JSON.parse(await readFile(join(copied, 'config.json'), 'utf8')) as Record<string, unknown>;
    if (json['model_type'] === modelType) return [];
  }
  const { spatial, language } = plan.model;
  const sizes = {
    vision: {
      ...{ hidden: spatial.hiddenSize, intermediate: spatial.intermediateSize, layers: spatial.numLayers },
      ...{ heads: spatial.numHeads, image: spatial.imageSize, patch: spatial.patchSize },
    },
    language: {
      ...{ family: language.family, hidden: language.hiddenSize, intermediate: language.intermediateSize },
      ...{ layers: language.numLayers, heads: language.numHeads, kvHeads: language.numKvHeads },
      ...{ vocab: language.vocabSize, normEps: language.normEps },
    },
  };
  const files = internVlFiles({ kind: 'internvl', ...sizes }, modelType === 'internvl' ? 'hf' : 'opengvlab', 'bf16');
  const section = modelType === 'internvl' ? 'text_config' : 'llm_config';
  const own = { rope_theta: language.ropeTheta, tie_word_embeddings: language.tieWordEmbeddings };
  return ['config.json', 'preprocessor_config.json'].map((name) => {
    const json = { ...files[name] } as Record<string, unknown>;
    if (name === 'config.json') json[section] = { ...(json[section] as object), ...own };
    else Object.assign(json, { image_mean: spatial.mean, image_std: spatial.std });
    return [name, `${JSON.stringify(json, null, 2)}\n`];
  });
}
