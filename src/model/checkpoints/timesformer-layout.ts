/**
 * TimeSformer's files: Hugging Face's names are ours (a bare TimesformerModel lacks the leading `timesformer.`), Facebook's
 * are those of timm's ViT.
 *
 * @source transformers models/timesformer/convert_timesformer_to_pytorch.py; facebookresearch/TimeSformer models/vit.py
 */
import { type Layout, TEMPORAL_ONLY } from './layout.js';

const OURS = 'timesformer.';

/** @param prefix `timesformer.` or nothing */
export function timesformerHfLayout(prefix: '' | 'timesformer.'): Layout {
  return {
    id: 'timesformer-hf',
    parts: TEMPORAL_ONLY,
    locate: (name) =>
      name.startsWith(OURS) ? [{ name: prefix + name.slice(OURS.length) }] : { reason: 'not a part of TimeSformer' },
  };
}

const FB_NAMES: readonly [RegExp, string][] = [
  [/^embeddings\.cls_token$/, 'cls_token'],
  [/^embeddings\.position_embeddings$/, 'pos_embed'],
  [/^embeddings\.time_embeddings$/, 'time_embed'],
  [/^embeddings\.patch_embeddings\.projection\./, 'patch_embed.proj.'],
  [/^encoder\.layer\.(\d+)\.temporal_layernorm\./, 'blocks.$1.temporal_norm1.'],
  [/^encoder\.layer\.(\d+)\.temporal_attention\.attention\.qkv\./, 'blocks.$1.temporal_attn.qkv.'],
  [/^encoder\.layer\.(\d+)\.temporal_attention\.output\.dense\./, 'blocks.$1.temporal_attn.proj.'],
  [/^encoder\.layer\.(\d+)\.temporal_dense\./, 'blocks.$1.temporal_fc.'],
  [/^encoder\.layer\.(\d+)\.layernorm_before\./, 'blocks.$1.norm1.'],
  [/^encoder\.layer\.(\d+)\.attention\.attention\.qkv\./, 'blocks.$1.attn.qkv.'],
  [/^encoder\.layer\.(\d+)\.attention\.output\.dense\./, 'blocks.$1.attn.proj.'],
  [/^encoder\.layer\.(\d+)\.layernorm_after\./, 'blocks.$1.norm2.'],
  [/^encoder\.layer\.(\d+)\.intermediate\.dense\./, 'blocks.$1.mlp.fc1.'],
  [/^encoder\.layer\.(\d+)\.output\.dense\./, 'blocks.$1.mlp.fc2.'],
  [/^layernorm\./, 'norm.'],
];

/** @param prefix `model.` in the published .pyth files */
export function timesformerFbLayout(prefix: '' | 'model.'): Layout {
  return {
    id: 'timesformer-fb',
    parts: TEMPORAL_ONLY,
    locate(name) {
      if (!name.startsWith(OURS)) return { reason: 'not a part of TimeSformer' };
      const own = name.slice(OURS.length);
      const rule = FB_NAMES.find(([pattern]) => pattern.test(own));
      return rule === undefined
        ? { reason: 'not a name of TimeSformer' }
        : [{ name: prefix + own.replace(rule[0], rule[1]) }];
    },
  };
}
