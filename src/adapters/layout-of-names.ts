/** What tensor names tell about a file: which checkpoint it is of, and which part of a model each tensor is of. */
import { CheckpointError } from '../base/errors.js';
import { detectLayout } from '../model/checkpoints/detect-layout.js';
import { plainNames } from '../model/checkpoints/plain-names.js';
import type { WeightSource } from '../model/weights/source.js';

const PARTS: readonly (readonly [part: string, name: RegExp])[] = [
  ['lora', /\.(?:lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector)(?:\.|$)/],
  ['spatial encoder', /(?:^|\.)(?:vision_model|vision_tower)\./],
  ['spatial projector', /(?:^|\.)(?:mlp1|multi_modal_projector)\./],
  ['temporal projector', /(?:^|\.)temporal_mlp1\.|_width_adapter\./],
  ['gated fusion', /^fusion\./],
  ['positions', /^visual_positions\./],
  ['special tokens', /^special_tokens\./],
  ['temporal encoder', /(?:^|\.)(?:timesformer\.|blocks\.\d+\.|time_embed$|temporal_layernorm\.)/],
  [
    'language model',
    /(?:^|\.)(?:language_model\.|lm_head\.|tok_embeddings\.|embed_tokens\.|self_attn\.|feed_forward\.)/,
  ],
];

/** The part of MIMIC-Chat that a tensor is of, by its name; 'other' when the name says nothing. */
export function partOf(name: string): string {
  return PARTS.find(([, pattern]) => pattern.test(name))?.[0] ?? 'other';
}

/** Which checkpoint the names are of, and what wraps them; says so when it is none that is known. */
export function describeLayout({ path, tensors }: Pick<WeightSource, 'path' | 'tensors'>): string {
  const plain = plainNames(tensors);
  const wrapping = plain.wrapping === 'none' ? '' : `${plain.wrapping}: `;
  try {
    // The heads decide rows, which nobody reads here.
    return wrapping + detectLayout(path, plain.tensors.keys(), { numHeads: 1, numKvHeads: 1 }).reason;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return `${wrapping}unknown`;
  }
}
