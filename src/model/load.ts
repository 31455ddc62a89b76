/**
 * A model folder: `config.yaml` (the resolved run configuration) and `model.safetensors`.
 *
 * A checkpoint of a tuned model holds only what was trained; `base:` in its config names the folder (relative to the
 * checkpoint's) that holds the rest.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { parse } from 'yaml';
import { z } from 'zod';
import { CheckpointError } from '../base/errors.js';
import { ModelSchema } from './config.js';
import { MimicChatModel } from './mimic-chat.js';
import type { ParameterStore } from './parameters.js';
import { MANIFEST_NAME, verifyCheckpointFiles } from './weights/manifest.js';
import { openSafetensors } from './weights/safetensors.js';

const FolderSchema = z.looseObject({ model: ModelSchema, base: z.string().optional() });

export interface ModelFolder {
  readonly model: MimicChatModel;
  /** The folder's whole `config.yaml`; sections beyond `model` belong to who wrote them. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Where the tokenizer lies: the folder itself, or its base. */
  readonly tokenizerDir: string;
}

/** @throws CheckpointError when a file is absent or invalid, or a parameter is missing, extra or of another shape */
export async function loadModelFolder(dir: string): Promise<ModelFolder> {
  const config = await readFolderConfig(dir);
  if (existsSync(join(dir, MANIFEST_NAME))) await verifyCheckpointFiles(dir);
  const model = new MimicChatModel(config.model);
  try {
    if (config.base !== undefined) await loadWeights(model.parameters, resolve(dir, config.base), { partial: true });
    await loadWeights(model.parameters, dir, { partial: config.base !== undefined });
    const missing = model.parameters.list().filter((parameter) => !parameter.hasValue);
    if (missing.length > 0) {
      throw new CheckpointError(
        'E_WEIGHTS_MISSING',
        `${dir}: ${missing.length} of ${model.parameters.list().length} parameters are in no file: ${names(missing)}.`,
        { hint: 'Check `base:` in config.yaml, and that model.* is the configuration the weights were saved with.' },
      );
    }
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, config, tokenizerDir: config.base === undefined ? dir : resolve(dir, config.base) };
}

async function readFolderConfig(dir: string) {
  const path = join(dir, 'config.yaml');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CheckpointError('E_FOLDER_CONFIG', `${path}: cannot be read; a model folder needs config.yaml.`, {
      cause,
      hint: 'Give the folder that holds config.yaml and model.safetensors, e.g. checkpoints/run/best.',
    });
  });
  const parsed = FolderSchema.safeParse(parse(text, { maxAliasCount: 20 }));
  if (!parsed.success) {
    throw new CheckpointError('E_FOLDER_CONFIG', `${path}: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

/**
 * Reads `model.safetensors` of a folder into the store.
 *
 * @param partial accept a file that names fewer parameters than the store; extra names are an error either way,
 *   except those of switched-off parts (an ablated model starts from a full base)
 */
export async function loadWeights(
  store: ParameterStore,
  dir: string,
  options: { partial: boolean },
): Promise<string[]> {
  const path = join(dir, 'model.safetensors');
  const file = await openSafetensors(path);
  const loaded: string[] = [];
  try {
    const problems: string[] = [];
    for (const [name, entry] of file.tensors) {
      const parameter = store.get(name);
      if (parameter === undefined) {
        if (!options.partial) problems.push(`${name}: not a parameter of this model`);
      } else if (parameter.shape.join() !== entry.shape.join()) {
        problems.push(`${name}: shape [${entry.shape}] in the file, [${parameter.shape}] in the model`);
      }
    }
    if (problems.length > 0) {
      throw new CheckpointError(
        'E_WEIGHTS_MISMATCH',
        `${path}: ${problems.length} tensors do not fit:\n  ${problems.join('\n  ')}`,
        {
          hint: 'The model.* section must be the one the weights were saved with.',
        },
      );
    }
    for (const name of file.tensors.keys()) {
      const parameter = store.get(name);
      if (parameter === undefined) continue;
      parameter.value = tf.tensor(await file.readFloat32(name), [...parameter.shape], 'float32');
      loaded.push(name);
    }
  } finally {
    await file.close();
  }
  return loaded;
}

function names(parameters: readonly { name: string }[]): string {
  const shown = parameters.slice(0, 8).map((parameter) => parameter.name);
  return parameters.length > shown.length ? `${shown.join(', ')}, ...` : shown.join(', ');
}
