/** Tiny published folders: the same random values under every layout's names, written out the slow, obvious way. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Rng } from '../../../src/base/rng.js';
import { type ModelConfig, ModelSchema } from '../../../src/model/config.js';
import { MimicChatModel } from '../../../src/model/mimic-chat.js';
import { type SafetensorsEntry, writeSafetensors } from '../../../src/model/weights/safetensors.js';

export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}
export type NamedValues = Map<string, Values>;

const HEADS = { numHeads: 4, numKvHeads: 2 };

/** Two layers, no temporal branch: what a published InternVL folder is. */
export function tinyInternvl(family: 'internlm2' | 'qwen2', overrides: object = {}): ModelConfig {
  return ModelSchema.parse({
    spatial: { hiddenSize: 8, intermediateSize: 12, numLayers: 2, numHeads: 2, imageSize: 8, patchSize: 2 },
    language: {
      ...{ family, hiddenSize: 16, intermediateSize: 20, numLayers: 2, ...HEADS, vocabSize: 23 },
      ...{ ropeTheta: 1000, normEps: family === 'qwen2' ? 1e-6 : 1e-5, maxPositions: 512 },
    },
    fusion: { type: 'concat' },
    lora: { rank: 0 },
    ablate: 'no-temporal-encoder',
    ...overrides,
  });
}

export function tinyTemporal(): ModelConfig['temporal'] {
  return ModelSchema.parse({
    spatial: { imageSize: 16, patchSize: 8 },
    temporal: {
      hiddenSize: 12,
      intermediateSize: 16,
      numLayers: 2,
      numHeads: 3,
      imageSize: 16,
      patchSize: 8,
      numFrames: 3,
    },
  }).temporal;
}

/** Random values for the parameters whose names match, by their names here. */
export function randomValues(config: ModelConfig, names: RegExp, seed = 1): NamedValues {
  const values: NamedValues = new Map();
  for (const { name, shape, size } of new MimicChatModel(config).parameters.list()) {
    if (!names.test(name)) continue;
    const rng = new Rng(seed, name);
    // Few bits, so that 16-bit files hold them exactly.
    values.set(name, { shape, data: Float32Array.from({ length: size }, () => (rng.int(255) - 127) / 64) });
  }
  return values;
}

export const INTERNVL_NAMES = /^(?:vision_model|mlp1|language_model)\./;

function rowsOf({ shape, data }: Values, keep: (row: number) => boolean): Values {
  const width = shape.slice(1).reduce((product, n) => product * n, 1);
  const rows = Array.from({ length: shape[0] ?? 0 }, (_, row) => row).filter(keep);
  const kept = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) kept.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { shape: [rows.length, ...shape.slice(1)], data: kept };
}

/** As transformers' converter does it: an explicit list, and rows picked one by one. */
export function toInternvlHf(values: NamedValues, prefixes: 'old' | 'new'): NamedValues {
  const p = prefixes === 'new' ? 'model.' : '';
  const language = prefixes === 'new' ? 'model.language_model.' : 'language_model.model.';
  const head = prefixes === 'new' ? 'lm_head.weight' : 'language_model.lm_head.weight';
  const out: NamedValues = new Map();
  for (const [name, value] of values) {
    const layer = /layers\.(\d+)\./.exec(name)?.[1];
    const leaf = name.split('.').at(-1);
    if (name.endsWith('attention.wqkv.weight')) {
      const headSize = 4;
      const perGroup = HEADS.numHeads / HEADS.numKvHeads + 2;
      const slotOf = (row: number) => Math.floor(row / headSize) % perGroup;
      const to = `${language}layers.${layer}.self_attn`;
      out.set(
        `${to}.q_proj.weight`,
        rowsOf(value, (row) => slotOf(row) < perGroup - 2),
      );
      out.set(
        `${to}.k_proj.weight`,
        rowsOf(value, (row) => slotOf(row) === perGroup - 2),
      );
      out.set(
        `${to}.v_proj.weight`,
        rowsOf(value, (row) => slotOf(row) === perGroup - 1),
      );
    } else if (name.includes('.attn.qkv.')) {
      for (const [third, part] of ['q', 'k', 'v'].entries()) {
        const to = `${p}vision_tower.encoder.layer.${layer}.attention.${part}_proj.${leaf}`;
        out.set(
          to,
          rowsOf(value, (row) => Math.floor(row / 8) === third),
        );
      }
    } else {
      const hf = name
        .replace('vision_model.embeddings.class_embedding', `${p}vision_tower.embeddings.cls_token`)
        .replace('vision_model.embeddings.patch_embedding', `${p}vision_tower.embeddings.patch_embeddings.projection`)
        .replace('vision_model.embeddings.position_embedding', `${p}vision_tower.embeddings.position_embeddings`)
        .replace('vision_model.encoder.layers', `${p}vision_tower.encoder.layer`)
        .replace('norm1', 'layernorm_before')
        .replace('norm2', 'layernorm_after')
        .replace('attn.proj', 'attention.projection_layer')
        .replace('.ls1', '.lambda_1')
        .replace('.ls2', '.lambda_2')
        .replace('mlp1.0', `${p}multi_modal_projector.layer_norm`)
        .replace('mlp1.1', `${p}multi_modal_projector.linear_1`)
        .replace('mlp1.3', `${p}multi_modal_projector.linear_2`)
        .replace(/language_model\.(?:output|lm_head)\.weight/, head)
        .replace('language_model.model.', language)
        .replace('tok_embeddings', 'embed_tokens')
        .replace('attention_norm', 'input_layernorm')
        .replace('ffn_norm', 'post_attention_layernorm')
        .replace('attention.wo', 'self_attn.o_proj')
        .replace('feed_forward.w1', 'mlp.gate_proj')
        .replace('feed_forward.w2', 'mlp.down_proj')
        .replace('feed_forward.w3', 'mlp.up_proj');
      out.set(hf, value);
    }
  }
  return out;
}

/** Facebook's names, the classifier with them. */
export function toTimesformerFb(values: NamedValues): NamedValues {
  const out: NamedValues = new Map();
  for (const [name, value] of values) {
    const fb = name
      .replace('timesformer.', 'model.')
      .replace('embeddings.cls_token', 'cls_token')
      .replace('embeddings.position_embeddings', 'pos_embed')
      .replace('embeddings.time_embeddings', 'time_embed')
      .replace('embeddings.patch_embeddings.projection', 'patch_embed.proj')
      .replace('encoder.layer.', 'blocks.')
      .replace('temporal_layernorm', 'temporal_norm1')
      .replace('temporal_attention.attention.qkv', 'temporal_attn.qkv')
      .replace('temporal_attention.output.dense', 'temporal_attn.proj')
      .replace('temporal_dense', 'temporal_fc')
      .replace('layernorm_before', 'norm1')
      .replace('layernorm_after', 'norm2')
      .replace('attention.attention.qkv', 'attn.qkv')
      .replace('attention.output.dense', 'attn.proj')
      .replace('intermediate.dense', 'mlp.fc1')
      .replace('output.dense', 'mlp.fc2')
      .replace('model.layernorm', 'model.norm');
    out.set(fb, value);
  }
  out.set('model.head.weight', { shape: [5, 12], data: new Float32Array(60) });
  return out.set('model.head.bias', { shape: [5], data: new Float32Array(5) });
}

export const entriesOf = (values: NamedValues): SafetensorsEntry[] =>
  Array.from(values, ([name, { shape, data }]) => ({ name, dtype: 'F32', shape, data }));

export async function writeFolder(
  dir: string,
  files: {
    readonly weights?: NamedValues;
    readonly weightsName?: string;
    readonly json?: Readonly<Record<string, object>>;
  },
): Promise<string> {
  await mkdir(dir, { recursive: true });
  if (files.weights !== undefined) {
    await writeSafetensors(join(dir, files.weightsName ?? 'model.safetensors'), entriesOf(files.weights));
  }
  for (const [name, json] of Object.entries(files.json ?? {})) await writeFile(join(dir, name), JSON.stringify(json));
  return dir;
}

/** Two shards that cut through a layer, and their index. */
export async function writeSharded(dir: string, values: NamedValues, json: Readonly<Record<string, object>>) {
  const names = [...values.keys()];
  const shards = [new Map(), new Map()] as [NamedValues, NamedValues];
  for (const [i, [name, value]] of [...values].entries()) shards[i < names.length / 2 ? 0 : 1].set(name, value);
  const fileOf = (shard: number) => `model-0000${shard + 1}-of-00002.safetensors`;
  const map = Object.fromEntries(names.map((name) => [name, fileOf(shards[0].has(name) ? 0 : 1)]));
  const bytes = [...values.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  for (const [i, shard] of shards.entries()) await writeFolder(dir, { weights: shard, weightsName: fileOf(i) });
  return writeFolder(dir, {
    json: { ...json, 'model.safetensors.index.json': { metadata: { total_size: bytes }, weight_map: map } },
  });
}

/** config.json as OpenGVLab writes it, for `tinyInternvl`. */
export function openGvlabJson(family: 'internlm2' | 'qwen2', overrides: object = {}): object {
  const language =
    family === 'qwen2'
      ? {
          model_type: 'qwen2',
          architectures: ['Qwen2ForCausalLM'],
          rms_norm_eps: 1e-6,
          use_sliding_window: false,
          sliding_window: 4096,
        }
      : { model_type: 'internlm2', architectures: ['InternLM2ForCausalLM'], rms_norm_eps: 1e-5, bias: false };
  return {
    ...{ model_type: 'internvl_chat', downsample_ratio: 0.5, ps_version: 'v2', select_layer: -1, force_image_size: 8 },
    ...{ template: 'internvl2_5', use_llm_lora: 0, use_backbone_lora: 0, pad2square: false },
    vision_config: {
      ...{ model_type: 'intern_vit_6b', hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2 },
      ...{ num_attention_heads: 2, image_size: 8, patch_size: 2, norm_type: 'layer_norm', layer_norm_eps: 1e-6 },
      ...{ qkv_bias: true, qk_normalization: false, hidden_act: 'gelu', num_channels: 3 },
    },
    llm_config: {
      ...language,
      ...{
        hidden_size: 16,
        intermediate_size: 20,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
      },
      ...{ vocab_size: 23, rope_theta: 1000, rope_scaling: { type: 'dynamic', factor: 2 }, hidden_act: 'silu' },
      ...{ max_position_embeddings: 512, tie_word_embeddings: false },
    },
    ...overrides,
  };
}

/** config.json as transformers 5 writes it for the -hf repositories. */
export function hfJson(textType: 'llama' | 'qwen2'): object {
  return {
    ...{ model_type: 'internvl', downsample_ratio: 0.5, projector_hidden_act: 'gelu', tie_word_embeddings: false },
    ...{ vision_feature_layer: -1, vision_feature_select_strategy: 'default', image_seq_length: 4 },
    vision_config: {
      ...{ model_type: 'internvl_vision', hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2 },
      ...{
        num_attention_heads: 2,
        image_size: [8, 8],
        patch_size: [2, 2],
        norm_type: 'layer_norm',
        layer_norm_eps: 1e-6,
      },
      ...{ attention_bias: true, use_qk_norm: false, hidden_act: 'gelu', num_channels: 3, use_mean_pooling: true },
    },
    text_config: {
      ...{ model_type: textType, hidden_size: 16, intermediate_size: 20, num_hidden_layers: 2, num_attention_heads: 4 },
      ...{ num_key_value_heads: 2, vocab_size: 23, hidden_act: 'silu', max_position_embeddings: 512 },
      ...{ rms_norm_eps: textType === 'qwen2' ? 1e-6 : 1e-5, tie_word_embeddings: false },
      ...{ rope_parameters: { rope_theta: 1000, rope_type: 'dynamic', factor: 2 } },
    },
  };
}

export const TIMESFORMER_JSON = {
  ...{
    model_type: 'timesformer',
    attention_type: 'divided_space_time',
    qkv_bias: true,
    hidden_act: 'gelu',
    num_channels: 3,
  },
  ...{ image_size: 16, patch_size: 8, num_frames: 3, hidden_size: 12, intermediate_size: 16, num_hidden_layers: 2 },
  ...{ num_attention_heads: 3, layer_norm_eps: 1e-6 },
};
