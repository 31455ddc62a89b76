/**
 * config.json of a TimeSformer repository (`model_type: timesformer`).
 *
 * @source transformers models/timesformer/configuration_timesformer.py
 */
import type { BaseConfig } from './base-config.js';
import type { JsonReader } from './json-reader.js';

export function readTimesformerConfig(top: JsonReader): Omit<BaseConfig, 'file' | 'preprocessing'> {
  top.must('attention_type', 'divided_space_time', 'the temporal encoder attends over time, then over space');
  top.must('qkv_bias', true, 'its attention has biases');
  top.must('hidden_act', 'gelu', 'the MLP has exact GELU');
  top.must('num_channels', 3, 'frames are RGB');
  return {
    kind: 'timesformer',
    model: {
      temporal: {
        imageSize: top.side('image_size'),
        patchSize: top.side('patch_size'),
        numFrames: top.count('num_frames'),
        hiddenSize: top.count('hidden_size'),
        intermediateSize: top.count('intermediate_size'),
        numLayers: top.layers('num_hidden_layers'),
        numHeads: top.count('num_attention_heads'),
        normEps: top.positive('layer_norm_eps'),
      },
    },
    video: {},
    prompt: {},
    loraRank: 0,
    notes: [],
  };
}
