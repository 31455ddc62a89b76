/**
 * config.json of OpenGVLab's InternVL repositories (`model_type: internvl_chat`).
 *
 * @source OpenGVLab/InternVL configuration_internvl_chat.py, configuration_intern_vit.py, modeling_internvl_chat.py
 */
import { type BaseConfig, INTERNVL_VIDEO } from './base-config.js';
import type { JsonReader } from './json-reader.js';
import { readLanguageSection } from './language-config.js';

type Read = Omit<BaseConfig, 'file' | 'preprocessing'>;

export function readInternvlConfig(top: JsonReader, holdsHead: boolean | undefined): Read {
  top.must('downsample_ratio', 0.5, 'the pixel shuffle joins 2 x 2 patches');
  top.must('ps_version', 'v2', 'v1 leaves the grid of tokens transposed');
  top.must('select_layer', -1, "the projector reads the last block's output");
  top.mustIfGiven('pad2square', false, 'frames are resized to a square, not padded');
  const vision = top.section('vision_config');
  vision.must('norm_type', 'layer_norm', 'InternViT-300M; the 6B encoder (rms_norm) is not supported');
  vision.must(
    'qk_normalization',
    false,
    'InternViT-300M; the 6B encoder normalises queries and keys, which is not supported',
  );
  vision.must('qkv_bias', true, 'InternViT-300M; the 6B encoder has none, and is not supported');
  vision.must('hidden_act', 'gelu', 'the MLP has exact GELU');
  vision.must('num_channels', 3, 'frames are RGB');
  const imageSize = vision.side('image_size');
  if (top.has('force_image_size')) {
    top.must(
      'force_image_size',
      imageSize,
      'position embeddings are those of vision_config.image_size and are not resized',
    );
  }
  const { language, notes } = readLanguageSection(top.section('llm_config'), top, holdsHead);
  return {
    kind: 'internvl',
    model: {
      spatial: {
        imageSize,
        patchSize: vision.side('patch_size'),
        hiddenSize: vision.count('hidden_size'),
        intermediateSize: vision.count('intermediate_size'),
        numLayers: vision.layers('num_hidden_layers'),
        numHeads: vision.count('num_attention_heads'),
        normEps: vision.positive('layer_norm_eps'),
      },
      language,
    },
    video: INTERNVL_VIDEO,
    prompt: { template: top.text('template') },
    loraRank: readRank(top, 'use_llm_lora'),
    notes: [...notes, ...backboneNotes(readRank(top, 'use_backbone_lora'))],
  };
}

/** 0, absent: no adapter; the tensors themselves show when that is wrong. */
function readRank(top: JsonReader, key: string): number {
  return top.has(key) && top.raw(key) !== 0 ? top.count(key) : 0;
}

function backboneNotes(rank: number): string[] {
  return rank === 0 ? [] : [`use_backbone_lora ${rank}: adapters on the ViT are merged into its weights, scale 2`];
}
