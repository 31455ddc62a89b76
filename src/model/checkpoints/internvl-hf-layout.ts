/**
 * Names of the `-hf` repositories (InternVLForConditionalGeneration). Files of 2025 have the older prefixes; transformers
 * maps both ways. InternLM2 is a Llama there: q, k and v apart. The ViT's are apart as well, ours are thirds of one tensor.
 *
 * @source transformers models/internvl/convert_internvl_weights_to_hf.py
 */
import { type Heads, type Layout, type NamedRows, WHOLE_INTERNVL } from './layout.js';

const PREFIXES = {
  old: {
    vision: 'vision_tower.',
    projector: 'multi_modal_projector.',
    language: 'language_model.model.',
    head: 'language_model.lm_head.',
  },
  new: {
    vision: 'model.vision_tower.',
    projector: 'model.multi_modal_projector.',
    language: 'model.language_model.',
    head: 'lm_head.',
  },
};
export type HfPrefixes = keyof typeof PREFIXES;

const VISION_NAMES: readonly [RegExp, string][] = [
  [/^embeddings\.class_embedding$/, 'embeddings.cls_token'],
  [/^embeddings\.patch_embedding\./, 'embeddings.patch_embeddings.projection.'],
  [/^embeddings\.position_embedding$/, 'embeddings.position_embeddings'],
  [/^(encoder\.layer)s(\.\d+)\.norm1\./, '$1$2.layernorm_before.'],
  [/^(encoder\.layer)s(\.\d+)\.norm2\./, '$1$2.layernorm_after.'],
  [/^(encoder\.layer)s(\.\d+)\.attn\.proj\./, '$1$2.attention.projection_layer.'],
  [/^(encoder\.layer)s(\.\d+)\.ls([12])$/, '$1$2.lambda_$3'],
  [/^(encoder\.layer)s(\.\d+)\.mlp\./, '$1$2.mlp.'],
];
const PROJECTOR_NAMES: readonly [RegExp, string][] = [
  [/^0\./, 'layer_norm.'],
  [/^1\./, 'linear_1.'],
  [/^3\./, 'linear_2.'],
];
/** InternLM2 to Llama. Qwen2's names are the same in both layouts. */
const LANGUAGE_NAMES: readonly [RegExp, string][] = [
  [/^tok_embeddings\./, 'embed_tokens.'],
  [/\.attention_norm\./, '.input_layernorm.'],
  [/\.ffn_norm\./, '.post_attention_layernorm.'],
  [/\.attention\.wo\./, '.self_attn.o_proj.'],
  [/\.feed_forward\.w1\./, '.mlp.gate_proj.'],
  [/\.feed_forward\.w3\./, '.mlp.up_proj.'],
  [/\.feed_forward\.w2\./, '.mlp.down_proj.'],
];

export function internvlHfLayout(prefixes: HfPrefixes, heads: Heads): Layout {
  const at = PREFIXES[prefixes];
  return {
    id: 'internvl-hf',
    parts: WHOLE_INTERNVL,
    locate(name, rows) {
      const vision = /^vision_model\.(.*)$/.exec(name)?.[1];
      if (vision !== undefined) return locateVision(at.vision, vision, rows);
      const projector = /^mlp1\.(.*)$/.exec(name)?.[1];
      if (projector !== undefined) return [{ name: at.projector + renamed(projector, PROJECTOR_NAMES) }];
      const head = /^language_model\.(?:output|lm_head)\.(.*)$/.exec(name)?.[1];
      if (head !== undefined) return [{ name: at.head + head }];
      const language = /^language_model\.model\.(.*)$/.exec(name)?.[1];
      if (language !== undefined) return locateLanguage(at.language, language, rows, heads);
      return { reason: 'not a part of InternVL' };
    },
  };
}

function locateVision(prefix: string, name: string, rows: number): NamedRows[] {
  const [, layer, rest] = /^encoder\.layers\.(\d+)\.attn\.qkv\.(.*)$/.exec(name) ?? [];
  if (layer === undefined) return [{ name: prefix + renamed(name, VISION_NAMES) }];
  const third = { start: 0, count: rows / 3 };
  return ['q_proj', 'k_proj', 'v_proj'].map((part) => {
    return { name: `${prefix}encoder.layer.${layer}.attention.${part}.${rest}`, ...third };
  });
}

function locateLanguage(prefix: string, name: string, rows: number, heads: Heads): ReturnType<Layout['locate']> {
  const [, layer, rest] = /^layers\.(\d+)\.attention\.wqkv\.(.*)$/.exec(name) ?? [];
  if (layer === undefined) return [{ name: prefix + renamed(name, LANGUAGE_NAMES) }];
  if (rest !== 'weight') {
    return {
      reason: `adapters on q_proj, k_proj and v_proj are three, on the fused wqkv there is one: convert them with 'mimic weights import-peft'`,
    };
  }
  return fusedRows(`${prefix}layers.${layer}.self_attn`, rows, heads);
}

/** Rows of wqkv: for each key/value head its query heads, then the key head, then the value head. */
export function fusedRows(attention: string, rows: number, { numHeads, numKvHeads }: Heads): NamedRows[] {
  const headSize = rows / (numHeads + 2 * numKvHeads);
  const queries = (numHeads / numKvHeads) * headSize;
  return Array.from({ length: numKvHeads }, (_, group) => [
    { name: `${attention}.q_proj.weight`, start: group * queries, count: queries },
    { name: `${attention}.k_proj.weight`, start: group * headSize, count: headSize },
    { name: `${attention}.v_proj.weight`, start: group * headSize, count: headSize },
  ]).flat();
}

function renamed(name: string, rules: readonly [RegExp, string][]): string {
  for (const [pattern, replacement] of rules) if (pattern.test(name)) return name.replace(pattern, replacement);
  return name;
}
