/**
 * config.json of the -hf repositories (`model_type: internvl`).
 *
 * @source transformers models/internvl/configuration_internvl.py, modeling_internvl.py
 */
import { type BaseConfig, INTERNVL_VIDEO } from './base-config.js';
import type { JsonReader } from './json-reader.js';
import { readLanguageSection } from './language-config.js';

type Read = Omit<BaseConfig, 'file' | 'preprocessing'>;

export function readInternvlHfConfig(top: JsonReader, holdsHead: boolean | undefined): Read {
  top.must('downsample_ratio', 0.5, 'the pixel shuffle joins 2 x 2 patches');
  top.must('vision_feature_layer', -1, "the projector reads the last block's output");
  top.must('vision_feature_select_strategy', 'default', 'the class token is dropped');
  top.must('projector_hidden_act', 'gelu', 'the projector has exact GELU');
  const vision = top.section('vision_config');
  vision.must('norm_type', 'layer_norm', 'InternViT-300M; the 6B encoder (rms_norm) is not supported');
  vision.must(
    'use_qk_norm',
    false,
    'InternViT-300M; the 6B encoder normalises queries and keys, which is not supported',
  );
  vision.must('attention_bias', true, 'InternViT-300M; the 6B encoder has none, and is not supported');
  vision.must('hidden_act', 'gelu', 'the MLP has exact GELU');
  vision.must('num_channels', 3, 'frames are RGB');
  vision.mustIfGiven('use_mean_pooling', true, 'there is no norm after the last block');
  vision.mustIfGiven('use_absolute_position_embeddings', true, 'patches have position embeddings');
  const { language, notes } = readLanguageSection(top.section('text_config'), top, holdsHead);
  return {
    kind: 'internvl-hf',
    model: {
      spatial: {
        imageSize: vision.side('image_size'),
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
    // The chat template of these repositories is ChatML without a system turn of its own.
    prompt: { template: 'internvl2_5', systemPrompt: '' },
    loraRank: 0,
    notes,
  };
}
