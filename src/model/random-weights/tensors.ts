/** Names, shapes and statistics of a published model's tensors, in the order in which its modules declare them. */
import type { InternVlSizes, LanguageSizes, TimesformerSizes, VisionSizes } from './catalog.js';
import type { Distribution } from './normal-stream.js';

/** Elements of one stream of random numbers, named after the tensor that holds all of it in the OpenGVLab layout. */
export interface Piece {
  readonly stream: string;
  readonly start: number;
  readonly count: number;
}

export interface RandomTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly distribution: Distribution;
  /** One behind the other they fill the tensor. */
  readonly pieces: readonly Piece[];
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Norm weights near one and biases near zero, yet neither exactly: a loader that leaves one out gives other logits. */
const NEAR_ONE: Distribution = { mean: 1, std: 0.02 };
const NEAR_ZERO: Distribution = { mean: 0, std: 0.02 };
/** Trained InternViT layers add a fraction of each branch. */
const LAYER_SCALE: Distribution = { mean: 0.1, std: 0.02 };
const EMBEDDING: Distribution = { mean: 0, std: 0.02 };

/** Keeps a layer's outputs as large as its inputs. */
const fanIn = (inputs: number): Distribution => ({ mean: 0, std: inputs ** -0.5 });

class TensorList {
  readonly tensors: RandomTensor[] = [];

  constructor(private readonly prefix: string) {}

  add(name: string, shape: readonly number[], distribution: Distribution): void {
    const full = `${this.prefix}${name}`;
    this.tensors.push({ name: full, shape, distribution, pieces: [{ stream: full, start: 0, count: sizeOf(shape) }] });
  }

  linear(name: string, outputs: number, inputs: number, bias: boolean): void {
    this.add(`${name}.weight`, [outputs, inputs], fanIn(inputs));
    if (bias) this.add(`${name}.bias`, [outputs], NEAR_ZERO);
  }

  layerNorm(name: string, size: number): void {
    this.add(`${name}.weight`, [size], NEAR_ONE);
    this.add(`${name}.bias`, [size], NEAR_ZERO);
  }

  rmsNorm(name: string, size: number): void {
    this.add(`${name}.weight`, [size], NEAR_ONE);
  }

  patches(name: string, channels: number, patch: number): void {
    this.add(`${name}.weight`, [channels, 3, patch, patch], fanIn(3 * patch * patch));
    this.add(`${name}.bias`, [channels], NEAR_ZERO);
  }
}

/** OpenGVLab's InternVLChatModel: ViT, language model, projector. */
export function internVlTensors({ vision, language }: InternVlSizes): RandomTensor[] {
  const projector = new TensorList('mlp1.');
  const inputs = 4 * vision.hidden;
  projector.layerNorm('0', inputs);
  projector.linear('1', language.hidden, inputs, true);
  projector.linear('3', language.hidden, language.hidden, true);
  const decoder = language.family === 'internlm2' ? internLm2Tensors(language) : qwen2Tensors(language);
  return [...internVitTensors(vision), ...decoder, ...projector.tensors];
}

function internVitTensors({ hidden, intermediate, layers, image, patch }: VisionSizes): RandomTensor[] {
  const list = new TensorList('vision_model.');
  list.add('embeddings.class_embedding', [1, 1, hidden], EMBEDDING);
  list.add('embeddings.position_embedding', [1, 1 + (image / patch) ** 2, hidden], EMBEDDING);
  list.patches('embeddings.patch_embedding', hidden, patch);
  for (let n = 0; n < layers; n++) {
    const layer = `encoder.layers.${n}`;
    list.add(`${layer}.ls1`, [hidden], LAYER_SCALE);
    list.add(`${layer}.ls2`, [hidden], LAYER_SCALE);
    list.linear(`${layer}.attn.qkv`, 3 * hidden, hidden, true);
    list.linear(`${layer}.attn.proj`, hidden, hidden, true);
    list.linear(`${layer}.mlp.fc1`, intermediate, hidden, true);
    list.linear(`${layer}.mlp.fc2`, hidden, intermediate, true);
    list.layerNorm(`${layer}.norm1`, hidden);
    list.layerNorm(`${layer}.norm2`, hidden);
  }
  return list.tensors;
}

function internLm2Tensors({ hidden, intermediate, layers, heads, kvHeads, vocab }: LanguageSizes): RandomTensor[] {
  const list = new TensorList('language_model.');
  list.add('model.tok_embeddings.weight', [vocab, hidden], EMBEDDING);
  for (let n = 0; n < layers; n++) {
    const layer = `model.layers.${n}`;
    list.linear(`${layer}.attention.wqkv`, (heads + 2 * kvHeads) * (hidden / heads), hidden, false);
    list.linear(`${layer}.attention.wo`, hidden, hidden, false);
    list.linear(`${layer}.feed_forward.w1`, intermediate, hidden, false);
    list.linear(`${layer}.feed_forward.w3`, intermediate, hidden, false);
    list.linear(`${layer}.feed_forward.w2`, hidden, intermediate, false);
    list.rmsNorm(`${layer}.attention_norm`, hidden);
    list.rmsNorm(`${layer}.ffn_norm`, hidden);
  }
  list.rmsNorm('model.norm', hidden);
  list.linear('output', vocab, hidden, false);
  return list.tensors;
}

function qwen2Tensors({ hidden, intermediate, layers, heads, kvHeads, vocab }: LanguageSizes): RandomTensor[] {
  const list = new TensorList('language_model.');
  const kv = kvHeads * (hidden / heads);
  list.add('model.embed_tokens.weight', [vocab, hidden], EMBEDDING);
  for (let n = 0; n < layers; n++) {
    const layer = `model.layers.${n}`;
    list.linear(`${layer}.self_attn.q_proj`, hidden, hidden, true);
    list.linear(`${layer}.self_attn.k_proj`, kv, hidden, true);
    list.linear(`${layer}.self_attn.v_proj`, kv, hidden, true);
    list.linear(`${layer}.self_attn.o_proj`, hidden, hidden, false);
    list.linear(`${layer}.mlp.gate_proj`, intermediate, hidden, false);
    list.linear(`${layer}.mlp.up_proj`, intermediate, hidden, false);
    list.linear(`${layer}.mlp.down_proj`, hidden, intermediate, false);
    list.rmsNorm(`${layer}.input_layernorm`, hidden);
    list.rmsNorm(`${layer}.post_attention_layernorm`, hidden);
  }
  list.rmsNorm('model.norm', hidden);
  list.linear('lm_head', vocab, hidden, false);
  return list.tensors;
}

/** transformers' TimesformerForVideoClassification. */
export function timesformerTensors({ vision, frames, labels }: TimesformerSizes): RandomTensor[] {
  const { hidden, intermediate, layers, image, patch } = vision;
  const list = new TensorList('timesformer.');
  list.add('embeddings.cls_token', [1, 1, hidden], EMBEDDING);
  list.add('embeddings.position_embeddings', [1, 1 + (image / patch) ** 2, hidden], EMBEDDING);
  list.add('embeddings.time_embeddings', [1, frames, hidden], EMBEDDING);
  list.patches('embeddings.patch_embeddings.projection', hidden, patch);
  for (let n = 0; n < layers; n++) {
    const layer = `encoder.layer.${n}`;
    list.linear(`${layer}.attention.attention.qkv`, 3 * hidden, hidden, true);
    list.linear(`${layer}.attention.output.dense`, hidden, hidden, true);
    list.linear(`${layer}.intermediate.dense`, intermediate, hidden, true);
    list.linear(`${layer}.output.dense`, hidden, intermediate, true);
    list.layerNorm(`${layer}.layernorm_before`, hidden);
    list.layerNorm(`${layer}.layernorm_after`, hidden);
    list.layerNorm(`${layer}.temporal_layernorm`, hidden);
    list.linear(`${layer}.temporal_attention.attention.qkv`, 3 * hidden, hidden, true);
    list.linear(`${layer}.temporal_attention.output.dense`, hidden, hidden, true);
    list.linear(`${layer}.temporal_dense`, hidden, hidden, true);
  }
  list.layerNorm('layernorm', hidden);
  const head = new TensorList('');
  head.linear('classifier', labels, hidden, true);
  return [...list.tensors, ...head.tensors];
}
