/**
 * input.json of a checkpoint: how its inputs were made. A model that is given another tokenizer, template, frame size or
 * normalisation than it was trained with answers worse and says nothing, so a difference is refused when it is loaded.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CheckpointError } from '../base/errors.js';
import { log } from '../base/logger.js';
import type { ModelConfig } from '../model/config.js';
import { MANIFEST_NAME } from '../model/weights/manifest.js';
import {
  hashOfFields,
  INPUT_NAME,
  type InputField,
  type InputFields,
  type InputFingerprint,
  parseInput,
} from './input-file.js';
import { type PromptConfig, PromptSchema } from './prompt.js';
import { WORDING_VERSION } from './tasks/wording.js';
import type { Tokenizer } from './tokenizer.js';
import { type SamplingConfig, SamplingSchema } from './video/sampling.js';

export interface ModelInput {
  readonly tokenizer: Pick<Tokenizer, 'contentHash' | 'vocabSize'>;
  readonly prompt: PromptConfig;
  readonly sampling: SamplingConfig;
  readonly model: ModelConfig;
}

/** Fields that came after a checkpoint was saved had their defaults then. */
const DEFAULTS: InputFields = flatten({ prompt: PromptSchema.parse({}), video: SamplingSchema.parse({}) });

export function fingerprintInput({ tokenizer, prompt, sampling, model }: ModelInput): InputFingerprint {
  const { spatial, temporal, ablate } = model;
  const branch = ({ mean, std, imageSize }: typeof spatial | typeof temporal) => ({ imageSize, mean, std });
  const hasTemporal = ablate !== 'no-temporal-encoder';
  // Nothing looks at the full sequence without its encoder, so it may be taken in any way.
  const { temporal: sequence, ...frames } = sampling;
  const fields = flatten({
    tokenizer: { sha256: tokenizer.contentHash, vocabSize: tokenizer.vocabSize },
    prompt: { ...prompt, wordingVersion: WORDING_VERSION },
    video: hasTemporal ? { ...frames, temporal: sequence } : frames,
    spatial: { ...branch(spatial), numFrames: spatial.numFrames, patchSize: spatial.patchSize },
    ...(hasTemporal ? { temporal: { ...branch(temporal), pool: temporal.pool } } : {}),
  });
  return { sha256: hashOfFields(fields), fields };
}

const SectionsSchema = z.looseObject({
  video: SamplingSchema.omit({ size: true, numFrames: true }).prefault({}),
  prompt: PromptSchema.prefault({}),
});

/**
 * What a configuration and a tokenizer make of the input.
 *
 * @param dir names the folder in errors
 * @param config with sections `prompt` and `video`, or without
 */
export function inputOfFolder(
  dir: string,
  { model, config }: { readonly model: ModelConfig; readonly config: unknown },
  tokenizer: ModelInput['tokenizer'],
): InputFingerprint {
  const parsed = SectionsSchema.safeParse(config);
  if (!parsed.success)
    throw new CheckpointError('E_FOLDER_CONFIG', `${dir}/config.yaml: ${z.prettifyError(parsed.error)}`);
  const { imageSize, numFrames } = model.spatial;
  const { prompt, video } = parsed.data;
  return fingerprintInput({ tokenizer, prompt, sampling: { ...video, size: imageSize, numFrames }, model });
}

/** One line for each field that differs. */
export function inputDifferences(saved: InputFields, now: InputFields): string[] {
  const names = [...new Set([...Object.keys(saved), ...Object.keys(now)])];
  return names.flatMap((name) => {
    const [was, is] = [saved[name] ?? DEFAULTS[name] ?? null, now[name] ?? null];
    return was === is ? [] : [`${name}: ${JSON.stringify(was)} when saved, ${JSON.stringify(is)} now`];
  });
}

/**
 * Compares what will be used with the input.json of a folder. A checkpoint of a run that has none is warned about; a folder
 * that is no run's, such as a published base, promises nothing.
 *
 * @throws CheckpointError E_INPUT_DRIFT listing every field that differs, E_INPUT_FILE when input.json is invalid
 */
export async function checkInput(dir: string, now: InputFingerprint): Promise<void> {
  const path = join(dir, INPUT_NAME);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new CheckpointError('E_INPUT_FILE', `${path}: cannot be read (${error.message}).`, { cause: error });
  });
  if (text === undefined) {
    if (existsSync(join(dir, MANIFEST_NAME)))
      log.warn(
        `${dir} has no ${INPUT_NAME}: whether its tokenizer, prompt and preprocessing are as in training is not known`,
      );
    return;
  }
  const lines = inputDifferences(parseInput(path, text).fields, now.fields);
  if (lines.length === 0) return;
  throw new CheckpointError(
    'E_INPUT_DRIFT',
    `${dir}: the input would not be made as in training, ${lines.length} ${lines.length === 1 ? 'field differs' : 'fields differ'}:\n  ${lines.join('\n  ')}`,
    {
      hint: 'Give the tokenizer and the settings of the training; other inputs need a run of their own.',
      context: { differences: lines },
    },
  );
}

/** Nested sections as dotted names; a list is one field, undefined is none. */
function flatten(value: object, prefix = ''): Record<string, InputField> {
  const fields: Record<string, InputField> = {};
  for (const [key, inner] of Object.entries(value) as [string, unknown][]) {
    const name = `${prefix}${key}`;
    if (inner === undefined) continue;
    if (typeof inner === 'string' || typeof inner === 'number' || typeof inner === 'boolean') fields[name] = inner;
    else if (Array.isArray(inner)) fields[name] = inner.join(' ');
    else if (typeof inner === 'object' && inner !== null) Object.assign(fields, flatten(inner, `${name}.`));
    else fields[name] = null;
  }
  return fields;
}
