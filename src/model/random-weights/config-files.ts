/** The JSON files beside published weights, with the keys that the published files have: a loader need not default any. */
import type { InternVlSizes, LanguageSizes, TimesformerSizes } from './catalog.js';
import { imageTokens, tokenId } from './special-tokens.js';

export type WeightDtype = 'bf16' | 'fp32';
export type Layout = 'opengvlab' | 'hf';
/** File name -> content. */
export type JsonFiles = Readonly<Record<string, object>>;

const TORCH_DTYPE = { bf16: 'bfloat16', fp32: 'float32' } as const;
const ROPE = { theta: 1e6, scaling: { type: 'dynamic', factor: 2.0 } } as const;
const MAX_POSITIONS = 32768;
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const BICUBIC = 3;
const BILINEAR = 2;

/** Fields of every language model's section. */
function languageFields({ hidden, intermediate, layers, heads, kvHeads, vocab, normEps }: LanguageSizes) {
  return {
    hidden_act: 'silu',
    hidden_size: hidden,
    initializer_range: 0.02,
    intermediate_size: intermediate,
    max_position_embeddings: MAX_POSITIONS,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    num_key_value_heads: kvHeads,
    rms_norm_eps: normEps,
    rope_theta: ROPE.theta,
    tie_word_embeddings: false,
    use_cache: true,
    vocab_size: vocab,
  };
}

/** Ids that begin, end and pad a text. */
function textIds(language: LanguageSizes) {
  const endOfText = language.family === 'qwen2' ? tokenId(language, '<|endoftext|>') : 2;
  return language.family === 'qwen2'
    ? { bos_token_id: endOfText, eos_token_id: tokenId(language, '<|im_end|>') }
    : { bos_token_id: 1, eos_token_id: 2, pad_token_id: 2 };
}

function llmConfig(language: LanguageSizes, torchDtype: string): object {
  const fields = { ...languageFields(language), ...textIds(language), torch_dtype: torchDtype };
  if (language.family === 'qwen2') {
    return {
      architectures: ['Qwen2ForCausalLM'],
      model_type: 'qwen2',
      attention_dropout: 0.0,
      max_window_layers: 21,
      rope_scaling: null,
      sliding_window: null,
      use_sliding_window: false,
      ...fields,
    };
  }
  return {
    architectures: ['InternLM2ForCausalLM'],
    model_type: 'internlm2',
    attn_implementation: 'eager',
    auto_map: {
      AutoConfig: 'configuration_internlm2.InternLM2Config',
      AutoModel: 'modeling_internlm2.InternLM2ForCausalLM',
      AutoModelForCausalLM: 'modeling_internlm2.InternLM2ForCausalLM',
    },
    bias: false,
    rope_scaling: { factor: ROPE.scaling.factor, type: ROPE.scaling.type },
    ...fields,
  };
}

/** config.json, generation_config.json and preprocessor_config.json of an InternVL folder. */
export function internVlFiles(sizes: InternVlSizes, layout: Layout, dtype: WeightDtype): JsonFiles {
  const { vision, language } = sizes;
  const torchDtype = TORCH_DTYPE[dtype];
  const stops = language.family === 'qwen2' ? ['<|im_end|>'] : ['<|im_end|>', '<|im_start|>'];
  return {
    'config.json': layout === 'hf' ? hfConfig(sizes, torchDtype) : internVlConfig(sizes, torchDtype),
    'generation_config.json': {
      _from_model_config: true,
      eos_token_id: stops.map((content) => tokenId(language, content)),
      transformers_version: '4.37.2',
    },
    'preprocessor_config.json':
      layout === 'hf'
        ? {
            crop_to_patches: false,
            do_convert_rgb: true,
            do_normalize: true,
            do_rescale: true,
            do_resize: true,
            image_mean: IMAGENET.mean,
            image_processor_type: 'GotOcr2ImageProcessorFast',
            image_std: IMAGENET.std,
            max_patches: 12,
            min_patches: 1,
            processor_class: 'InternVLProcessor',
            resample: BICUBIC,
            rescale_factor: 1 / 255,
            size: { height: vision.image, width: vision.image },
          }
        : {
            crop_size: vision.image,
            do_center_crop: true,
            do_normalize: true,
            do_resize: true,
            feature_extractor_type: 'CLIPFeatureExtractor',
            image_mean: IMAGENET.mean,
            image_std: IMAGENET.std,
            resample: BICUBIC,
            size: vision.image,
          },
  };
}

function internVlConfig({ vision, language }: InternVlSizes, torchDtype: string): object {
  return {
    architectures: ['InternVLChatModel'],
    auto_map: {
      AutoConfig: 'configuration_internvl_chat.InternVLChatConfig',
      AutoModel: 'modeling_internvl_chat.InternVLChatModel',
      AutoModelForCausalLM: 'modeling_internvl_chat.InternVLChatModel',
    },
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: vision.image,
    llm_config: llmConfig(language, torchDtype),
    max_dynamic_patch: 12,
    min_dynamic_patch: 1,
    model_type: 'internvl_chat',
    pad2square: false,
    ps_version: 'v2',
    select_layer: -1,
    template: 'internvl2_5',
    torch_dtype: torchDtype,
    use_backbone_lora: 0,
    use_llm_lora: 0,
    use_thumbnail: true,
    vision_config: {
      architectures: ['InternVisionModel'],
      attention_dropout: 0.0,
      drop_path_rate: 0.0,
      dropout: 0.0,
      hidden_act: 'gelu',
      hidden_size: vision.hidden,
      image_size: vision.image,
      initializer_factor: 1.0,
      initializer_range: 0.02,
      intermediate_size: vision.intermediate,
      layer_norm_eps: 1e-6,
      // What the published files say of this 300M model.
      model_type: 'intern_vit_6b',
      norm_type: 'layer_norm',
      num_attention_heads: vision.heads,
      num_channels: 3,
      num_hidden_layers: vision.layers,
      patch_size: vision.patch,
      qk_normalization: false,
      qkv_bias: true,
      torch_dtype: torchDtype,
      use_flash_attn: true,
    },
  };
}

function hfConfig({ vision, language }: InternVlSizes, torchDtype: string): object {
  const [context] = imageTokens(language).filter(({ content }) => content === '<IMG_CONTEXT>');
  const isQwen = language.family === 'qwen2';
  return {
    architectures: ['InternVLForConditionalGeneration'],
    downsample_ratio: 0.5,
    image_seq_length: (vision.image / vision.patch / 2) ** 2,
    image_token_id: context?.id,
    model_type: 'internvl',
    projector_hidden_act: 'gelu',
    text_config: {
      architectures: [isQwen ? 'Qwen2ForCausalLM' : 'LlamaForCausalLM'],
      model_type: isQwen ? 'qwen2' : 'llama',
      attention_dropout: 0.0,
      ...(isQwen
        ? { max_window_layers: 21, sliding_window: null, use_sliding_window: false, rope_scaling: null }
        : {
            attention_bias: false,
            mlp_bias: false,
            head_dim: language.hidden / language.heads,
            rope_scaling: { factor: ROPE.scaling.factor, rope_type: ROPE.scaling.type },
          }),
      ...languageFields(language),
      ...textIds(language),
      torch_dtype: torchDtype,
    },
    tie_word_embeddings: false,
    torch_dtype: torchDtype,
    vision_config: {
      architectures: ['InternVLVisionModel'],
      attention_bias: true,
      attention_dropout: 0.0,
      hidden_act: 'gelu',
      hidden_dropout_prob: 0.0,
      hidden_size: vision.hidden,
      image_size: [vision.image, vision.image],
      initializer_factor: 1.0,
      initializer_range: 0.02,
      intermediate_size: vision.intermediate,
      layer_norm_eps: 1e-6,
      layer_scale_init_value: 0.1,
      model_type: 'internvl_vision',
      norm_type: 'layer_norm',
      num_attention_heads: vision.heads,
      num_channels: 3,
      num_hidden_layers: vision.layers,
      patch_size: [vision.patch, vision.patch],
      projection_dropout: 0.0,
      torch_dtype: torchDtype,
      use_absolute_position_embeddings: true,
      use_mask_token: false,
      use_mean_pooling: true,
      use_qk_norm: false,
    },
    vision_feature_layer: -1,
    vision_feature_select_strategy: 'default',
  };
}

/** config.json and preprocessor_config.json of a TimeSformer folder. */
export function timesformerFiles({ vision, frames, labels }: TimesformerSizes, dtype: WeightDtype): JsonFiles {
  const names = Array.from({ length: labels }, (_, n) => [String(n), `LABEL_${n}`] as const);
  const shortSide = { shortest_edge: vision.image };
  return {
    'config.json': {
      architectures: ['TimesformerForVideoClassification'],
      attention_probs_dropout_prob: 0.0,
      attention_type: 'divided_space_time',
      drop_path_rate: 0,
      hidden_act: 'gelu',
      hidden_dropout_prob: 0.0,
      hidden_size: vision.hidden,
      id2label: Object.fromEntries(names),
      image_size: vision.image,
      initializer_range: 0.02,
      intermediate_size: vision.intermediate,
      label2id: Object.fromEntries(names.map(([id, label]) => [label, Number(id)])),
      layer_norm_eps: 1e-6,
      model_type: 'timesformer',
      num_attention_heads: vision.heads,
      num_channels: 3,
      num_frames: frames,
      num_hidden_layers: vision.layers,
      patch_size: vision.patch,
      qkv_bias: true,
      torch_dtype: TORCH_DTYPE[dtype],
    },
    'preprocessor_config.json': {
      crop_size: { height: vision.image, width: vision.image },
      do_center_crop: true,
      do_normalize: true,
      do_rescale: true,
      do_resize: true,
      feature_extractor_type: 'VideoMAEFeatureExtractor',
      image_mean: [0.45, 0.45, 0.45],
      image_processor_type: 'VideoMAEImageProcessor',
      image_std: [0.225, 0.225, 0.225],
      resample: BILINEAR,
      rescale_factor: 1 / 255,
      size: shortSide,
    },
  };
}
