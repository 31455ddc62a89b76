/** Tensors that a published file holds and a model rightly does not ask for, each with the reason. */
import type { ModelConfig } from '../config.js';

type Rule = (config: ModelConfig) => readonly [pattern: RegExp, reason: string] | undefined;

const adapter = /\.lora_[AB]\.weight$/;

const RULES: readonly Rule[] = [
  () => [/\brotary_emb\.inv_freq$|(?:^|\.)position_ids$/, 'a constant that is computed'],
  () => [/^(?:model\.)?(?:classifier|head)\.(?:weight|bias)$/, 'the classifier; features are taken before it'],
  ({ ablate }) =>
    ablate === 'no-temporal-encoder'
      ? [
          /^(?:timesformer|temporal_mlp1|fusion\.temporal)\.|^visual_positions\.temporal_time$/,
          'the temporal branch is off (model.ablate)',
        ]
      : undefined,
  ({ ablate }) =>
    ablate === 'no-temporal-projector'
      ? [/^temporal_mlp1\./, 'the temporal projector is off (model.ablate)']
      : undefined,
  ({ ablate }) =>
    ablate === 'no-spatial-projector'
      ? [/^(?:mlp1|(?:model\.)?multi_modal_projector)\./, 'the spatial projector is off (model.ablate)']
      : undefined,
  ({ ablate }) =>
    /-projector$/.test(ablate)
      ? undefined
      : [/^(?:spatial|temporal)_width_adapter\./, 'no projector is shared (model.ablate)'],
  ({ fusion }) => (fusion.type === 'concat' ? [/^fusion\./, 'fusion.type is concat'] : undefined),
  ({ ablate }) => (ablate === 'no-lora' ? [adapter, 'LoRA is off (model.ablate)'] : undefined),
  ({ language }) =>
    language.tieWordEmbeddings
      ? [
          /^(?:language_model\.)?(?:output|lm_head)\.weight$/,
          'tied to the token embeddings (language.tieWordEmbeddings)',
        ]
      : undefined,
];

/** @param name plain, see plain-names.ts @returns the reason, or undefined when the tensor is one too many */
export function reasonToIgnore(name: string, config: ModelConfig): string | undefined {
  for (const rule of RULES) {
    const [pattern, reason] = rule(config) ?? [];
    if (pattern?.test(name)) return reason;
  }
  return undefined;
}
