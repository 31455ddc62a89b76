/**
 * adapter_config.json of PEFT: what is read of it, and what is refused. What changes the arithmetic beyond W + s B A is; nulls
 * and values that switch an option off are passed over.
 *
 * @source huggingface/peft src/peft/tuners/lora/config.py; fields of versions 0.4 to 0.21
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CheckpointError } from '../../base/errors.js';
import { readJsonObject } from './base-config/json-reader.js';

export const ADAPTER_CONFIG = 'adapter_config.json';

/**
 * The keys of rank_pattern and alpha_pattern are regular expressions from a file that nobody vouches for: names, choices and
 * simple runs are taken, and no repeated group, which could take forever.
 */
const pattern = z.string().refine((text) => {
  const withoutRuns = text.replace(/(?:\\[dw]|\.)[*+]/g, '');
  return /^[\w.\\|()^$-]{0,200}$/.test(withoutRuns) && isExpression(text);
}, 'expected a name, or a regular expression of names, choices and \\d+ or .*');

function isExpression(text: string): boolean {
  try {
    return new RegExp(text) !== undefined;
  } catch {
    return false;
  }
}

const PeftConfigSchema = z.looseObject({
  peft_type: z.literal('LORA'),
  // PEFT writes both; what a class has as its default is nobody's choice.
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).max(0.9).default(0),
  use_rslora: z.boolean().default(false),
  rank_pattern: z.record(pattern, z.int().positive()).nullish(),
  alpha_pattern: z.record(pattern, z.number().positive()).nullish(),
  base_model_name_or_path: z.string().nullish(),
});
export type PeftConfig = z.output<typeof PeftConfigSchema>;

/** Fields that are followed, that the tensors' names show, or that are for training alone. */
const FOLLOWED = new Set([
  ...['peft_type', 'r', 'lora_alpha', 'lora_dropout', 'use_rslora', 'rank_pattern', 'alpha_pattern', 'bias'],
  ...['base_model_name_or_path', 'revision', 'task_type', 'inference_mode', 'auto_mapping', 'peft_version'],
  ...[
    'target_modules',
    'exclude_modules',
    'modules_to_save',
    'layers_to_transform',
    'layers_pattern',
    'init_lora_weights',
  ],
  ...['megatron_core', 'qalora_group_size', 'ensure_weight_tying', 'runtime_config'],
]);
/** The other ways to start (PiSSA, OLoRA, LoftQ, ...) change the base weight: the adapter is not for the one at hand. */
const PLAIN_STARTS: readonly unknown[] = [true, false, null, undefined, 'gaussian', 'eva', 'orthogonal'];

/** A field that is set and not known may change the arithmetic; then the tensors do not say what the adapter computes. */
function isRefused([key, value]: readonly [string, unknown]): boolean {
  if (key === 'bias') return value !== 'none';
  if (key === 'init_lora_weights') return !PLAIN_STARTS.includes(value);
  return !FOLLOWED.has(key) && isSet(value);
}

function isSet(value: unknown): boolean {
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value !== null && value !== undefined && value !== false && !isEmpty;
}

/** @throws CheckpointError E_ADAPTER_CONFIG when it is absent or invalid, E_ADAPTER_UNSUPPORTED for options that cannot be kept */
export async function readPeftConfig(dir: string): Promise<PeftConfig> {
  const path = join(dir, ADAPTER_CONFIG);
  const json = await readJsonObject(path, {
    code: 'E_ADAPTER_CONFIG',
    hint: 'Give the folder that holds adapter_config.json and adapter_model.safetensors.',
  });
  const parsed = PeftConfigSchema.safeParse(json);
  if (!parsed.success) {
    throw new CheckpointError('E_ADAPTER_CONFIG', `${path}: not a LoRA adapter's: ${z.prettifyError(parsed.error)}`);
  }
  const refused = Object.entries(parsed.data).filter(isRefused);
  if (refused.length > 0) {
    const list = refused.map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join(', ');
    throw new CheckpointError('E_ADAPTER_UNSUPPORTED', `${path}: got ${list}, expected a plain LoRA adapter.`, {
      hint: 'Merge it with PEFT (merge_and_unload), and use the merged folder as the base.',
    });
  }
  return parsed.data;
}

export interface UniformAdapter {
  readonly rank: number;
  /** So that alpha / rank is the factor on B A, with `use_rslora` too. */
  readonly alpha: number;
  readonly dropout: number;
  /** The folder or Hub name it was trained on, as written. */
  readonly base: string | undefined;
}

/** Options that give modules or layers something of their own. */
const UNEVEN = ['rank_pattern', 'alpha_pattern', 'layers_to_transform'] as const;

/**
 * The same, for a model that has one rank and one alpha for all of its adapters.
 *
 * @throws as `readPeftConfig`
 */
export async function readUniformAdapter(dir: string): Promise<UniformAdapter> {
  const config = await readPeftConfig(dir);
  const uneven = UNEVEN.filter((key) => isSet(config[key]));
  if (uneven.length > 0) {
    const list = uneven.map((key) => `${key}: ${JSON.stringify(config[key])}`).join(', ');
    const message = `${join(dir, ADAPTER_CONFIG)}: got ${list}, expected one rank and one alpha for all adapters.`;
    throw new CheckpointError('E_ADAPTER_UNSUPPORTED', message, {
      hint: 'mimic weights import-peft takes it, or merge it with PEFT.',
    });
  }
  const { r: rank, lora_alpha, lora_dropout: dropout, use_rslora, base_model_name_or_path: base } = config;
  return { rank, alpha: use_rslora ? lora_alpha * Math.sqrt(rank) : lora_alpha, dropout, base: base ?? undefined };
}
