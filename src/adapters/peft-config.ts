/**
 * adapter_config.json of PEFT: what is read of it, what is refused, what is written.
 *
 * @source huggingface/peft src/peft/tuners/lora/config.py; fields of versions 0.4 to 0.21
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CheckpointError } from '../base/errors.js';

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
  r: z.int().positive().default(8),
  lora_alpha: z.number().positive().default(8),
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
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new CheckpointError('E_ADAPTER_CONFIG', `${path}: cannot be read (${(cause as Error).message}).`, {
      hint: 'Give the folder that holds adapter_config.json and adapter_model.safetensors.',
      cause,
    });
  }
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

/**
 * Rank and scale of one module: the overrides of rank_pattern and alpha_pattern match the end of its name, as in PEFT.
 *
 * @returns scale: the factor on B A, alpha / r, or alpha / sqrt(r) with use_rslora
 */
export function moduleScale(config: PeftConfig, module: string): { rank: number; scale: number } {
  const rank = override(config.rank_pattern, module) ?? config.r;
  const alpha = override(config.alpha_pattern, module) ?? config.lora_alpha;
  return { rank, scale: alpha / (config.use_rslora ? Math.sqrt(rank) : rank) };
}

function override(patterns: Readonly<Record<string, number>> | null | undefined, module: string): number | undefined {
  for (const [pattern, value] of Object.entries(patterns ?? {})) {
    if (new RegExp(`(.*\\.)?(${pattern})$`).test(module)) return value;
  }
  return undefined;
}

export interface WrittenPeftConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  /** Endings of module names, or one regular expression that names them whole. */
  readonly targetModules: readonly string[] | string;
  readonly taskType: 'CAUSAL_LM' | null;
  readonly baseModel: string | null;
}

/** The JSON that `PeftModel.from_pretrained` reads; every field that decides the arithmetic is spelt out. */
export function peftConfigJson(config: WrittenPeftConfig): string {
  const fields = {
    peft_type: 'LORA',
    auto_mapping: null,
    base_model_name_or_path: config.baseModel,
    revision: null,
    task_type: config.taskType,
    inference_mode: true,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    target_modules: config.targetModules,
    exclude_modules: null,
    bias: 'none',
    fan_in_fan_out: false,
    use_rslora: false,
    use_dora: false,
    lora_bias: false,
    init_lora_weights: true,
    modules_to_save: null,
    rank_pattern: {},
    alpha_pattern: {},
    layers_to_transform: null,
    layers_pattern: null,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}
