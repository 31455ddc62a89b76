/**
 * adapter_config.json of PEFT: a module's rank and scale, and what is written. It is read by src/model/checkpoints/adapter-config.ts.
 *
 * @source huggingface/peft src/peft/tuners/lora/config.py; fields of versions 0.4 to 0.21
 */
import type { PeftConfig } from '../model/checkpoints/adapter-config.js';

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
