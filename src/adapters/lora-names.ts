/**
 * Names of adapted linears, here and in Python: our name, and where PEFT's adapters on other module trees keep the same
 * linear. InternLM2's fused wqkv is three linears in the -hf layout; their rows are slices of ours.
 *
 * @source transformers convert_internvl_weights_to_hf.py (names); model/checkpoints for the rows of wqkv
 */
import { fusedRows } from '../model/checkpoints/internvl-hf-layout.js';
import type { LanguageConfig } from '../model/config.js';

export const PEFT_LAYOUTS = ['lm', 'whole', 'hf'] as const;
/** lm: adapter on the bare language model; whole: on InternVLChatModel; hf: on InternVLForConditionalGeneration. */
export type PeftLayout = (typeof PEFT_LAYOUTS)[number];

type Heads = Pick<LanguageConfig, 'hiddenSize' | 'numHeads' | 'numKvHeads'>;

/** Consecutive rows of our weight. */
export interface Rows {
  readonly start: number;
  readonly count: number;
}

/** Where one of our linears lies in the Llama-shaped tree; `rows` are all when undefined. */
interface HfLinear {
  readonly leaf: string;
  readonly rows?: (heads: Heads) => Rows[];
}

/** Rows of wqkv that are those of one of the three, in the order of its heads. */
function partOfQkv(part: string): (heads: Heads) => Rows[] {
  return ({ hiddenSize, numHeads, numKvHeads }) => {
    const rows = (numHeads + 2 * numKvHeads) * (hiddenSize / numHeads);
    let start = 0;
    return fusedRows('', rows, { numHeads, numKvHeads }).flatMap(({ name, count = 0 }) => {
      start += count;
      return name === `.${part}.weight` ? [{ start: start - count, count }] : [];
    });
  };
}

const HF_LINEARS: Readonly<Record<string, readonly HfLinear[]>> = {
  'attention.wqkv': [
    { leaf: 'self_attn.q_proj', rows: partOfQkv('q_proj') },
    { leaf: 'self_attn.k_proj', rows: partOfQkv('k_proj') },
    { leaf: 'self_attn.v_proj', rows: partOfQkv('v_proj') },
  ],
  'attention.wo': [{ leaf: 'self_attn.o_proj' }],
  'feed_forward.w1': [{ leaf: 'mlp.gate_proj' }],
  'feed_forward.w2': [{ leaf: 'mlp.down_proj' }],
  'feed_forward.w3': [{ leaf: 'mlp.up_proj' }],
};

/** A decoder's linear by our name: `language_model.model.layers.N.` and its leaf. */
const OWN = /^language_model\.model\.layers\.(\d+)\.([a-z]\w*\.\w+)$/;

export interface PeftLinear {
  /** Module path in the tree that PEFT wraps, without `base_model.model.`. */
  readonly module: string;
  /** Rows of our B, one range below the other; undefined for all. */
  readonly rows: readonly Rows[] | undefined;
}

/** Where an adapter for our linear goes; undefined when it is no linear of the decoder. */
export function peftLinears(linear: string, layout: PeftLayout, heads: Heads): PeftLinear[] | undefined {
  const [, layer, leaf = ''] = OWN.exec(linear) ?? [];
  if (layer === undefined) return undefined;
  if (layout === 'whole') return [{ module: linear, rows: undefined }];
  if (layout === 'lm') return [{ module: linear.replace('language_model.', ''), rows: undefined }];
  return (HF_LINEARS[leaf] ?? [{ leaf }]).map((target) => {
    return { module: `model.language_model.layers.${layer}.${target.leaf}`, rows: target.rows?.(heads) };
  });
}

/** What may stand before `layers.N` in an adapter's names: bare, whole, -hf old and new, InternVL's own wrapping. */
const PREFIXES = new Set([
  'model',
  'language_model.model',
  'model.language_model',
  'model.language_model.model',
  'language_model.base_model.model.model',
  'base_model.model.model',
]);
const ANY_LINEAR = /^(.+)\.layers\.(\d+)\.([a-z]\w*\.\w+)$/;

/**
 * Our linear for a module of an adapter, and the rows of ours that it covers.
 *
 * @param isLinear whether a name is a linear of the model at hand; decides between InternLM2's and Llama's names
 */
export function ownLinear(
  module: string,
  isLinear: (name: string) => boolean,
  heads: Heads,
): { linear: string; rows: readonly Rows[] | undefined } | undefined {
  const [, prefix = '', layer, leaf = ''] = ANY_LINEAR.exec(module) ?? [];
  if (layer === undefined || !PREFIXES.has(prefix)) return undefined;
  const named = (own: string) => `language_model.model.layers.${layer}.${own}`;
  if (isLinear(named(leaf))) return { linear: named(leaf), rows: undefined };
  for (const [own, targets] of Object.entries(HF_LINEARS)) {
    const target = targets.find((each) => each.leaf === leaf);
    if (target !== undefined && isLinear(named(own))) return { linear: named(own), rows: target.rows?.(heads) };
  }
  return undefined;
}

/** What PEFT's `target_modules` must say so that it adapts these modules and no namesake in the vision tower. */
export function targetModules(modules: readonly string[], layout: PeftLayout): string[] | string {
  const leaves = [...new Set(modules.map((module) => module.replace(/^.*\.layers\.\d+\./, '')))];
  if (layout !== 'hf') return leaves;
  return `model\\.language_model\\.layers\\.\\d+\\.(${leaves.map((leaf) => leaf.replaceAll('.', '\\.')).join('|')})`;
}
