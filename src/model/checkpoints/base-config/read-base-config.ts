/** Reads what a published folder says about its weights: config.json and preprocessor_config.json. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointError } from '../../../base/errors.js';
import type { BaseConfig, Normalisation } from './base-config.js';
import { readInternvlConfig } from './internvl-config.js';
import { readInternvlHfConfig } from './internvl-hf-config.js';
import { JsonReader, readJsonObject } from './json-reader.js';
import { readTimesformerConfig } from './timesformer-config.js';

export type { BaseConfig, FixedModel, Normalisation } from './base-config.js';

/** Values that the papers and training code give, for folders without preprocessor_config.json. */
const PUBLISHED: Readonly<Record<'spatial' | 'temporal', Normalisation & { readonly source: string }>> = {
  spatial: {
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    source: "ImageNet's, as InternVL's code has them",
  },
  temporal: { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225], source: "those of TimeSformer's code" },
};

/** Names of the output matrix in every layout. */
const HEAD = /(?:^|\.)(?:output|lm_head)\.(?:base_layer\.)?weight$/;

/**
 * @param tensors names of the weights beside it, where there are any: they tell whether the output matrix is tied
 * @returns undefined for a folder without config.json
 * @throws CheckpointError E_BASE_CONFIG with every key that is absent or that the model cannot follow
 */
export async function readBaseConfig(dir: string, tensors?: Iterable<string>): Promise<BaseConfig | undefined> {
  const file = join(dir, 'config.json');
  if (!existsSync(file)) return undefined;
  const top = JsonReader.of(await readJsonObject(file));
  const read = readKind(top, file, tensors === undefined ? undefined : [...tensors].some((name) => HEAD.test(name)));
  top.finish(file);
  const branch = read.kind === 'timesformer' ? 'temporal' : 'spatial';
  const { normalisation, notes } = await readNormalisation(dir, branch);
  return { ...read, file, preprocessing: { [branch]: normalisation }, notes: [...read.notes, ...notes] };
}

function readKind(top: JsonReader, file: string, holdsHead: boolean | undefined) {
  const type = top.raw('model_type');
  if (type === 'internvl_chat') return readInternvlConfig(top, holdsHead);
  if (type === 'internvl') return readInternvlHfConfig(top, holdsHead);
  if (type === 'timesformer') return readTimesformerConfig(top);
  throw new CheckpointError(
    'E_BASE_CONFIG',
    `${file}: model_type: got ${JSON.stringify(type) ?? 'nothing'}, expected "internvl_chat", "internvl" or "timesformer".`,
    { hint: 'Give the folder of an InternVL2.5 or TimeSformer repository.' },
  );
}

async function readNormalisation(dir: string, branch: 'spatial' | 'temporal') {
  const file = join(dir, 'preprocessor_config.json');
  if (!existsSync(file)) {
    const { source, mean, std } = PUBLISHED[branch];
    const note = `${dir} has no preprocessor_config.json: mean [${mean}] and std [${std}] are ${source}`;
    return { normalisation: { mean, std }, notes: [note] };
  }
  const reader = JsonReader.of(await readJsonObject(file));
  const normalisation = { mean: reader.channels('image_mean'), std: reader.channels('image_std') };
  reader.mustIfGiven('do_normalize', true, 'frames are normalised');
  reader.mustIfGiven('do_rescale', true, 'bytes are divided by 255');
  reader.finish(file);
  return { normalisation, notes: [] };
}
