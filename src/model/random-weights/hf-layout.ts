/**
 * The same numbers under the names of repositories ending in -hf: `InternVLForConditionalGeneration`, whose InternLM2 is a
 * Llama with q, k and v apart.
 *
 * @source transformers convert_internvl_weights_to_hf.py (names); InternLM tools/convert2llama.py (split of wqkv)
 */
import type { InternVlSizes } from './catalog.js';
import { type Piece, type RandomTensor, sizeOf } from './tensors.js';

/** Prefixes and names as the published files of 2025 hold them. */
const RENAMES: readonly (readonly [RegExp, string])[] = [
  [/^vision_model\.embeddings\.class_embedding$/, 'vision_tower.embeddings.cls_token'],
  [/^vision_model\.embeddings\.position_embedding$/, 'vision_tower.embeddings.position_embeddings'],
  [/^vision_model\.embeddings\.patch_embedding\./, 'vision_tower.embeddings.patch_embeddings.projection.'],
  [/^vision_model\.encoder\.layers\.(\d+)\.norm1\./, 'vision_tower.encoder.layer.$1.layernorm_before.'],
  [/^vision_model\.encoder\.layers\.(\d+)\.norm2\./, 'vision_tower.encoder.layer.$1.layernorm_after.'],
  [/^vision_model\.encoder\.layers\.(\d+)\.attn\.proj\./, 'vision_tower.encoder.layer.$1.attention.projection_layer.'],
  [/^vision_model\.encoder\.layers\.(\d+)\.ls([12])$/, 'vision_tower.encoder.layer.$1.lambda_$2'],
  [/^vision_model\.encoder\.layers\.(\d+)\.mlp\./, 'vision_tower.encoder.layer.$1.mlp.'],
  [/^mlp1\.0\./, 'multi_modal_projector.layer_norm.'],
  [/^mlp1\.1\./, 'multi_modal_projector.linear_1.'],
  [/^mlp1\.3\./, 'multi_modal_projector.linear_2.'],
  [/^language_model\.output\./, 'language_model.lm_head.'],
  [/^language_model\.model\.tok_embeddings\./, 'language_model.model.embed_tokens.'],
  [/\.attention_norm\./, '.input_layernorm.'],
  [/\.ffn_norm\./, '.post_attention_layernorm.'],
  [/\.attention\.wo\./, '.self_attn.o_proj.'],
  [/\.feed_forward\.w1\./, '.mlp.gate_proj.'],
  [/\.feed_forward\.w3\./, '.mlp.up_proj.'],
  [/\.feed_forward\.w2\./, '.mlp.down_proj.'],
];

export function hfTensors(tensors: readonly RandomTensor[], sizes: InternVlSizes): RandomTensor[] {
  return tensors.flatMap((tensor) => {
    const vision = /^vision_model\.encoder\.layers\.(\d+)\.attn\.qkv\.(weight|bias)$/.exec(tensor.name);
    if (vision !== null)
      return splitThirds(tensor, `vision_tower.encoder.layer.${vision[1]}.attention.`, vision[2] ?? '');
    const language = /^language_model\.model\.layers\.(\d+)\.attention\.wqkv\.weight$/.exec(tensor.name);
    if (language !== null) return splitGroups(tensor, `language_model.model.layers.${language[1]}.self_attn.`, sizes);
    return [{ ...tensor, name: renamed(tensor.name) }];
  });
}

function renamed(name: string): string {
  const rename = RENAMES.find(([pattern]) => pattern.test(name));
  return rename === undefined ? name : name.replace(rename[0], rename[1]);
}

/** A tensor of some rows of another. */
function rowsOf(tensor: RandomTensor, name: string, ranges: readonly { start: number; count: number }[]): RandomTensor {
  const [, ...rest] = tensor.shape;
  const rowSize = sizeOf(rest);
  const [whole] = tensor.pieces;
  if (whole === undefined) throw new RangeError(`${tensor.name} has no numbers`);
  const pieces: Piece[] = ranges.map(({ start, count }) => ({
    stream: whole.stream,
    start: whole.start + start * rowSize,
    count: count * rowSize,
  }));
  return { ...tensor, name, shape: [ranges.reduce((sum, { count }) => sum + count, 0), ...rest], pieces };
}

function splitThirds(tensor: RandomTensor, prefix: string, suffix: string): RandomTensor[] {
  const count = (tensor.shape[0] ?? 0) / 3;
  return ['q', 'k', 'v'].map((name, third) =>
    rowsOf(tensor, `${prefix}${name}_proj.${suffix}`, [{ start: third * count, count }]),
  );
}

/** wqkv holds, for each key/value group, its query heads, then its key head, then its value head. */
function splitGroups(tensor: RandomTensor, prefix: string, { language }: InternVlSizes): RandomTensor[] {
  const { heads, kvHeads, hidden } = language;
  const headSize = hidden / heads;
  const queries = heads / kvHeads;
  const ranges = (slot: number, slots: number) =>
    Array.from({ length: kvHeads }, (_, group) => ({
      start: (group * (queries + 2) + slot) * headSize,
      count: slots * headSize,
    }));
  return [
    rowsOf(tensor, `${prefix}q_proj.weight`, ranges(0, queries)),
    rowsOf(tensor, `${prefix}k_proj.weight`, ranges(queries, 1)),
    rowsOf(tensor, `${prefix}v_proj.weight`, ranges(queries + 1, 1)),
  ];
}
