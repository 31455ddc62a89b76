/**
 * adapter_config.json of PEFT. What changes the arithmetic beyond W + s B A is refused; nulls and values that switch an
 * option off are passed over.
 *
 * @source huggingface/peft src/peft/tuners/lora/config.py, versions 0.4 to 0.21
 */
import { join } from 'node:path';
import { JsonReader, readJsonObject } from './base-config/json-reader.js';

export const ADAPTER_CONFIG = 'adapter_config.json';

export interface AdapterConfig {
  readonly rank: number;
  /** So that alpha / rank is the factor on B A, with `use_rslora` too. */
  readonly alpha: number;
  readonly dropout: number;
  /** The folder or Hub name it was trained on, as written. */
  readonly base: string | undefined;
}

/** Keys that decide nothing here: notes, training alone, or what the tensors' names show. */
const PASSED_OVER = new Set([
  ...[
    'auto_mapping',
    'base_model_name_or_path',
    'inference_mode',
    'peft_type',
    'peft_version',
    'revision',
    'task_type',
  ],
  ...['r', 'lora_alpha', 'lora_dropout', 'use_rslora', 'target_modules', 'exclude_modules', 'modules_to_save'],
  ...['megatron_core', 'qalora_group_size', 'ensure_weight_tying', 'runtime_config', 'layers_pattern'],
]);
/** Starting values; the others (PiSSA, OLoRA, LoftQ, ...) change the weight that the adapter stands beside. */
const HARMLESS_STARTS: readonly unknown[] = [true, false, 'gaussian', 'orthogonal', 'eva'];

/** @throws CheckpointError E_BASE_CONFIG with every field that cannot be followed */
export async function readAdapterConfig(dir: string): Promise<AdapterConfig> {
  const path = join(dir, ADAPTER_CONFIG);
  const json = await readJsonObject(path);
  const reader = JsonReader.of(json);
  reader.must('peft_type', 'LORA', 'other methods are not supported');
  const rank = reader.count('r');
  const loraAlpha = reader.positive('lora_alpha');
  for (const [key, value] of Object.entries(json)) {
    if (key === 'bias') reader.must(key, 'none', 'biases stay those of the base');
    else if (key === 'init_lora_weights' && value !== null) {
      if (!HARMLESS_STARTS.includes(value)) reader.refuse(key, 'a start that leaves the base weight as it is');
    } else if (!PASSED_OVER.has(key) && isSet(value))
      reader.refuse(key, `nothing: this option is not supported${hint(key)}`);
  }
  const dropout = reader.has('lora_dropout') ? Number(reader.raw('lora_dropout')) : 0;
  if (!(dropout >= 0 && dropout < 1)) reader.refuse('lora_dropout', 'a number from 0 to 1');
  const base = reader.has('base_model_name_or_path') ? reader.text('base_model_name_or_path') : undefined;
  reader.finish(path);
  const alpha = json['use_rslora'] === true ? loraAlpha * Math.sqrt(rank) : loraAlpha;
  return { rank, alpha, dropout, base };
}

function hint(key: string): string {
  return key.endsWith('_pattern')
    ? ' (one rank and one alpha for all adapters); mimic weights import-peft, or merge it with PEFT'
    : '; merge the adapter with PEFT';
}

function isSet(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return false;
  return !(typeof value === 'object' && Object.keys(value).length === 0);
}
