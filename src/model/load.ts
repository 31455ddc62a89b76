/**
 * A model from a folder: one of ours (`config.yaml`, `model.safetensors`), a published InternVL folder as it is, or a PEFT
 * adapter beside either.
 *
 * A checkpoint of a tuned model holds only what was trained; `base:` and `temporalBase:` in its config name the folders
 * (relative to the checkpoint's) that hold the rest.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointError } from '../base/errors.js';
import { log } from '../base/logger.js';
import { Rng } from '../base/rng.js';
import { loadWeightsFrom } from './checkpoints/load-weights.js';
import { type FolderPlan, planFolder } from './checkpoints/model-folders.js';
import { isOwnFolder } from './checkpoints/published-folder.js';
import { MimicChatModel } from './mimic-chat.js';
import type { Parameter, ParameterStore, Part } from './parameters.js';
import { MANIFEST_NAME, verifyCheckpointFiles } from './weights/manifest.js';

export { loadWeightsFrom } from './checkpoints/load-weights.js';

export interface ModelFolder {
  readonly model: MimicChatModel;
  /** The folder's whole `config.yaml`, or what a published folder's JSON means; sections beyond `model` belong to who wrote them. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Where the tokenizer lies: the folder itself, or its base. */
  readonly tokenizerDir: string;
  /** Files that weights came from, the first loaded first. */
  readonly weightFiles: readonly string[];
}

export interface LoadFolderOptions {
  /** The model that a PEFT adapter stands beside, where its adapter_config.json names no folder here. */
  readonly base?: string;
}

/**
 * @throws CheckpointError when a file is absent or invalid, or a parameter is missing, extra or of another shape
 */
export async function loadModelFolder(dir: string, options: LoadFolderOptions = {}): Promise<ModelFolder> {
  const plan = await planFolder(dir, options.base);
  for (const note of plan.notes) log.info(note);
  const model = new MimicChatModel(plan.model);
  const weightFiles: string[] = [];
  try {
    for (const { path, ...load } of plan.loads) {
      if (existsSync(join(path, MANIFEST_NAME))) await verifyCheckpointFiles(path);
      weightFiles.push(...(await loadWeightsFrom(path, model, load)).files);
    }
    startFresh(model.parameters, plan);
    requireAll(model.parameters, dir);
  } catch (error) {
    model.dispose();
    throw error;
  }
  const { config, tokenizerDir } = plan;
  return { model, config, tokenizerDir, weightFiles };
}

/** What a published folder has no word for is left at its start, where it changes nothing. */
function startFresh(parameters: ParameterStore, { freshParts }: FolderPlan): void {
  const isFresh = ({ part, hasValue }: Parameter) => !hasValue && freshParts.includes(part);
  parameters.initialize(new Rng(0, 'weights'), isFresh);
}

function requireAll(parameters: ParameterStore, dir: string): void {
  const all = parameters.list();
  const missing = all.filter((parameter) => !parameter.hasValue);
  if (missing.length === 0) return;
  throw new CheckpointError(
    'E_WEIGHTS_MISSING',
    `${dir}: ${missing.length} of ${all.length} parameters are in no file: ${names(missing)}.`,
    {
      hint: 'Check `base:` and `temporalBase:` in config.yaml, and that model.* is the configuration the weights were saved with.',
    },
  );
}

/**
 * Reads a folder or file of weights into the store's parameters.
 *
 * @returns names of the parameters that got a value
 * @throws CheckpointError E_WEIGHTS_MISMATCH listing every tensor that does not fit
 */
export async function loadWeights(model: MimicChatModel, path: string, label = 'weights'): Promise<string[]> {
  const plan = await loadWeightsFrom(path, model, { label, isOwn: isOwnFolder(path) });
  return [...plan.rows.keys()];
}

/** Parts that hold parameters without a value, with their names. */
export function emptyParts(parameters: ParameterStore): Map<Part, string[]> {
  const parts = new Map<Part, string[]>();
  for (const { name, part, hasValue } of parameters.list()) {
    if (!hasValue) parts.set(part, [...(parts.get(part) ?? []), name]);
  }
  return parts;
}

function names(parameters: readonly { name: string }[]): string {
  const shown = parameters.slice(0, 8).map((parameter) => parameter.name);
  return parameters.length > shown.length ? `${shown.join(', ')}, ...` : shown.join(', ');
}
