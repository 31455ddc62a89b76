/**
 * The two families of language models that InternVL is built on. They share the block's mathematics (RMSNorm, rotate-half
 * RoPE, grouped queries, SwiGLU) and differ in their parameters' names, and in the attention's input: InternLM2 has one
 * linear for queries, keys and values of a group after the other, Qwen2 has three, with biases.
 *
 * @source OpenGVLab/InternVL modeling_internlm2.py; transformers models/qwen2
 */
export const LANGUAGE_FAMILIES = ['internlm2', 'qwen2'] as const;
export type LanguageFamily = (typeof LANGUAGE_FAMILIES)[number];

/** Names below `language_model`, as the checkpoints have them; the linears' are those of {@link LORA_TARGETS}. */
export interface FamilyNames {
  readonly embeddings: string;
  readonly output: string;
  readonly attentionNorm: string;
  readonly attention: string;
  readonly ffnNorm: string;
  readonly ffn: string;
}

export const FAMILY_NAMES: Readonly<Record<LanguageFamily, FamilyNames>> = {
  internlm2: {
    embeddings: 'tok_embeddings',
    output: 'output',
    attentionNorm: 'attention_norm',
    attention: 'attention',
    ffnNorm: 'ffn_norm',
    ffn: 'feed_forward',
  },
  qwen2: {
    embeddings: 'embed_tokens',
    output: 'lm_head',
    attentionNorm: 'input_layernorm',
    attention: 'self_attn',
    ffnNorm: 'post_attention_layernorm',
    ffn: 'mlp',
  },
};

/** Linears of a decoder block, those of the attention first. */
const ATTENTION_LINEARS = {
  internlm2: ['wqkv', 'wo'],
  qwen2: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
} as const satisfies Record<LanguageFamily, readonly string[]>;
const FFN_LINEARS = {
  internlm2: ['w1', 'w2', 'w3'],
  qwen2: ['gate_proj', 'up_proj', 'down_proj'],
} as const satisfies Record<LanguageFamily, readonly string[]>;

/** What an adapter can be put on, in either family. */
export const LORA_TARGETS = [
  ...ATTENTION_LINEARS.internlm2,
  ...FFN_LINEARS.internlm2,
  ...ATTENTION_LINEARS.qwen2,
  ...FFN_LINEARS.qwen2,
] as const;
export type LoraTarget = (typeof LORA_TARGETS)[number];

/** The linears of a family's block. */
export function linearsOf(family: LanguageFamily): readonly LoraTarget[] {
  return [...ATTENTION_LINEARS[family], ...FFN_LINEARS[family]];
}

/** What `lora.targets` stands for: itself, or the attention's linears where it is absent (the paper's choice). */
export function loraTargets(family: LanguageFamily, targets: readonly LoraTarget[] | undefined): readonly LoraTarget[] {
  return targets ?? ATTENTION_LINEARS[family];
}
