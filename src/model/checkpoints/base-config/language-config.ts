/** The language model's section: `llm_config` of OpenGVLab's config.json, `text_config` of the -hf repositories'. */
import type { z } from 'zod';
import type { LanguageSchema } from '../../config.js';
import type { LanguageFamily } from '../../language-family.js';
import type { JsonReader } from './json-reader.js';

/** Llama is InternLM2 with q, k and v apart, as transformers keeps it. */
const FAMILIES: Readonly<Record<string, LanguageFamily>> = {
  internlm2: 'internlm2',
  llama: 'internlm2',
  qwen2: 'qwen2',
};

export interface LanguageSection {
  readonly language: z.input<typeof LanguageSchema>;
  readonly notes: readonly string[];
}

/**
 * @param top the whole file, where newer versions keep `tie_word_embeddings`
 * @param holdsHead whether the weights have an output matrix of their own; undefined when there are none to look at
 */
export function readLanguageSection(
  section: JsonReader,
  top: JsonReader,
  holdsHead: boolean | undefined,
): LanguageSection {
  const notes: string[] = [];
  const type = section.text('model_type');
  const family = Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : undefined;
  if (family === undefined)
    section.refuse(
      'model_type',
      `one of ${Object.keys(FAMILIES)
        .map((name) => `"${name}"`)
        .join(', ')}`,
    );
  if (type === 'internlm2') section.must('bias', false, 'linears of the decoder have none');
  if (type === 'llama') {
    section.mustIfGiven('attention_bias', false, 'linears of the decoder have none');
    section.mustIfGiven('mlp_bias', false, 'linears of the decoder have none');
  }
  section.must('hidden_act', 'silu', "the decoder's feed-forward is SwiGLU");
  section.mustIfGiven('use_sliding_window', false, 'the decoder attends over the whole sequence');
  const hiddenSize = section.count('hidden_size');
  const numHeads = section.count('num_attention_heads');
  if (section.has('head_dim')) section.must('head_dim', hiddenSize / numHeads, 'heads divide hidden_size');
  const language = {
    family: family ?? 'internlm2',
    hiddenSize,
    intermediateSize: section.count('intermediate_size'),
    numLayers: section.layers('num_hidden_layers'),
    numHeads,
    numKvHeads: section.count('num_key_value_heads'),
    vocabSize: section.count('vocab_size'),
    maxPositions: section.count('max_position_embeddings'),
    normEps: section.positive('rms_norm_eps'),
    ropeTheta: readRope(section),
    tieWordEmbeddings: holdsHead === undefined ? readTied(section, top) : !holdsHead,
  };
  if (holdsHead === false) notes.push('the weights have no output matrix: it is the token embeddings');
  return { language, notes };
}

/** Plain RoPE; dynamic NTK is plain up to `max_position_embeddings`, where sequences end here. */
function readRope(section: JsonReader): number {
  // transformers 5 moved theta and scaling into one section.
  const parameters = section.has('rope_parameters') ? section.section('rope_parameters') : undefined;
  const scaling = parameters ?? (section.has('rope_scaling') ? section.section('rope_scaling') : undefined);
  const key = scaling?.has('rope_type') ? 'rope_type' : 'type';
  if (scaling !== undefined && !['dynamic', 'default'].includes(String(scaling.raw(key)))) {
    scaling.refuse(key, '"dynamic" or "default": other scalings change every position');
  }
  return parameters?.has('rope_theta') ? parameters.positive('rope_theta') : section.positive('rope_theta');
}

function readTied(section: JsonReader, top: JsonReader): boolean {
  if (section.has('tie_word_embeddings') || !top.has('tie_word_embeddings')) return section.flag('tie_word_embeddings');
  return top.flag('tie_word_embeddings');
}
