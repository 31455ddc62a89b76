/** What a model folder is made of: the model's configuration, and which files hold its weights, in order. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { CheckpointError } from '../../base/errors.js';
import { type ModelConfig, ModelSchema } from '../config.js';
import type { Part } from '../parameters.js';
import { openWeights } from '../weights/open-weights.js';
import { ADAPTER_CONFIG, readUniformAdapter } from './adapter-config.js';
import type { LoadOptions } from './load-weights.js';
import { loraOf } from './lora-of.js';
import { neutralParts } from './neutral-parts.js';
import { inspectPublished, isOwnFolder, type PublishedFolder } from './published-folder.js';
import { tokenizerFiles } from './tokenizer-files.js';

const FolderSchema = z.looseObject({
  model: ModelSchema,
  base: z.string().optional(),
  temporalBase: z.string().optional(),
  prompt: z.looseObject({ layout: z.string().optional() }).optional(),
});

export interface FolderLoad extends LoadOptions {
  readonly path: string;
}

export interface FolderPlan {
  readonly model: ModelConfig;
  readonly config: Readonly<Record<string, unknown>>;
  readonly loads: readonly FolderLoad[];
  /** Parts that may be in no file. */
  readonly freshParts: readonly Part[];
  readonly tokenizerDir: string;
  readonly notes: readonly string[];
}

/**
 * @param base of a PEFT adapter whose adapter_config.json names no folder
 * @throws CheckpointError E_FOLDER_CONFIG for a folder that is none of them, E_BASE_CONFIG, E_ADAPTER_*, E_LORA_RANK
 */
export async function planFolder(dir: string, base?: string): Promise<FolderPlan> {
  if (isOwnFolder(dir)) return planOwn(dir);
  if (existsSync(join(dir, ADAPTER_CONFIG))) return planAdapter(dir, base);
  const published = await inspectPublished(dir);
  if (published !== undefined) return planPublished(dir, published);
  throw new CheckpointError(
    'E_FOLDER_CONFIG',
    `${join(dir, 'config.yaml')}: cannot be read; a model folder needs config.yaml.`,
    {
      hint: 'Give the folder that holds config.yaml and model.safetensors, e.g. checkpoints/run/best, a published InternVL folder with its config.json, or a PEFT adapter.',
    },
  );
}

async function planOwn(dir: string): Promise<FolderPlan> {
  const path = join(dir, 'config.yaml');
  const parsed = FolderSchema.safeParse(parse(await readFile(path, 'utf8'), { maxAliasCount: 20 }));
  if (!parsed.success) {
    throw new CheckpointError('E_FOLDER_CONFIG', `${path}: ${z.prettifyError(parsed.error)}`);
  }
  const config = parsed.data;
  const from = (path: string | undefined) => (path === undefined ? undefined : resolve(dir, path));
  const bases = baseLoads(config.model, from(config.base), from(config.temporalBase));
  const hasTokenizer = config.base === undefined || tokenizerFiles(dir).length > 0;
  return {
    ...{ model: config.model, config, notes: [] },
    // A run on a published base saves what it trained; the rest is where it started.
    freshParts: isPublishedBase(bases) ? neutralParts(config.prompt?.layout ?? 'paper') : [],
    loads: [...bases, { path: dir, label: 'checkpoint', isOwn: true }],
    tokenizerDir: hasTokenizer ? dir : resolve(dir, config.base ?? ''),
  };
}

function isPublishedBase(bases: readonly FolderLoad[]): boolean {
  return bases.length > 0 && bases.every(({ isOwn }) => isOwn !== true);
}

/** How the folders named by `base:` and `temporalBase:` are read. A switched-off temporal branch needs no weights. */
export function baseLoads(
  model: ModelConfig,
  base: string | undefined,
  temporalBase: string | undefined,
): FolderLoad[] {
  const whole = base === undefined ? [] : [{ path: base, label: 'base', isOwn: isOwnFolder(base) }];
  if (temporalBase === undefined || model.ablate === 'no-temporal-encoder') return whole;
  return [...whole, { path: temporalBase, label: 'temporalBase', isTemporal: true }];
}

/** InternVL as published: no temporal branch, and the visual tokens are the projector's output. */
function planPublished(dir: string, published: PublishedFolder): FolderPlan {
  const { model: fixed, lora, preprocessing, prompt, video, notes, file, kind } = published;
  if (kind === 'timesformer') {
    throw new CheckpointError('E_FOLDER_CONFIG', `${file}: a TimeSformer is no model that answers.`, {
      hint: 'Give it to a run as temporalBase.',
    });
  }
  const parsed = ModelSchema.safeParse({
    spatial: { ...fixed.spatial, ...preprocessing.spatial },
    language: fixed.language,
    fusion: { type: 'concat' },
    lora: lora === undefined ? { rank: 0 } : { rank: lora.rank, alpha: lora.alpha, dropout: 0, targets: lora.targets },
    ablate: 'no-temporal-encoder',
  });
  if (!parsed.success) throw new CheckpointError('E_BASE_CONFIG', `${file}: ${z.prettifyError(parsed.error)}`);
  return {
    model: parsed.data,
    config: { model: parsed.data, prompt: { ...prompt, layout: 'internvl' }, video },
    loads: [{ path: dir, label: 'load' }],
    freshParts: ['positions', 'special tokens'],
    tokenizerDir: dir,
    notes,
  };
}

async function planAdapter(dir: string, given: string | undefined): Promise<FolderPlan> {
  const adapter = await readUniformAdapter(dir);
  const baseDir = given ?? localBase(dir, adapter.base);
  if (baseDir === undefined) {
    const named =
      adapter.base === undefined
        ? 'names no base'
        : `names the base ${JSON.stringify(adapter.base)}, which is no folder here`;
    throw new CheckpointError('E_ADAPTER_BASE', `${join(dir, ADAPTER_CONFIG)} ${named}.`, {
      hint: 'Give the folder of the model that the adapter was trained on.',
    });
  }
  if (existsSync(join(baseDir, ADAPTER_CONFIG))) {
    throw new CheckpointError(
      'E_ADAPTER_BASE',
      `${baseDir}: is an adapter itself, expected the model it was trained on.`,
    );
  }
  const base = await planFolder(baseDir);
  if (base.model.lora.rank > 0 && base.model.ablate !== 'no-lora') {
    throw new CheckpointError(
      'E_ADAPTER_BASE',
      `${baseDir}: has an adapter of its own; ${dir} would be a second one.`,
      {
        hint: 'Merge the first into the base: mimic weights merge.',
      },
    );
  }
  const source = await openWeights(dir);
  const found = await Promise.resolve(loraOf(source, base.model.language.family)).finally(() => source.close());
  if (found !== undefined && found.rank !== adapter.rank) {
    const message = `${join(dir, ADAPTER_CONFIG)}: r: got ${adapter.rank}, expected ${found.rank}, the rank of the tensors beside it.`;
    throw new CheckpointError('E_LORA_RANK', message);
  }
  const { rank, alpha, dropout } = adapter;
  const lora = found === undefined ? base.model.lora : { rank, alpha, dropout, targets: [...found.targets] };
  const model = { ...base.model, lora };
  return {
    ...base,
    model,
    config: { ...base.config, model },
    loads: [...base.loads, { path: dir, label: 'adapter', loraScale: alpha / rank }],
    tokenizerDir: tokenizerFiles(dir).length > 0 ? dir : base.tokenizerDir,
  };
}

/** A Hub name that happens to be a folder here is taken for it, as transformers does. */
function localBase(dir: string, named: string | undefined): string | undefined {
  if (named === undefined) return undefined;
  return [resolve(dir, named), resolve(named)].find((path) => existsSync(path));
}
