/**
 * The spatial encoder: InternViT-300M's block structure over single frames.
 *
 * @source OpenGVLab/InternVL modeling_intern_vit.py (names, order of operations); sizes are configuration
 *
 * Shape letters: F frames, N patches, T = 1 + N tokens, C hidden size, P = 3 * patch area.
 */
import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../ops/index.js';
import type { SpatialConfig } from './config.js';
import type { Frames } from './frames.js';
import { LayerNorm } from './layers.js';
import { normal, ones, type Parameter, type Scope, zeros } from './parameters.js';
import { patchify } from './patchify.js';
import { Mlp, SelfAttention } from './self-attention.js';

/** Pre-norm block with layer scale: x += ls1 * attn(norm1 x); x += ls2 * mlp(norm2 x). */
class Block {
  private readonly norm1: LayerNorm;
  private readonly norm2: LayerNorm;
  private readonly attn: SelfAttention;
  private readonly mlp: Mlp;
  private readonly ls1: Parameter;
  private readonly ls2: Parameter;

  constructor(scope: Scope, config: SpatialConfig) {
    const { hiddenSize, intermediateSize, numHeads, normEps } = config;
    this.norm1 = new LayerNorm(scope.child('norm1'), hiddenSize, normEps);
    this.norm2 = new LayerNorm(scope.child('norm2'), hiddenSize, normEps);
    this.attn = new SelfAttention(scope.child('attn'), { qkv: 'qkv', proj: 'proj' }, hiddenSize, numHeads);
    this.mlp = new Mlp(scope.child('mlp'), { fc1: 'fc1', fc2: 'fc2' }, hiddenSize, intermediateSize);
    this.ls1 = scope.parameter('ls1', [hiddenSize], ones);
    this.ls2 = scope.parameter('ls2', [hiddenSize], ones);
  }

  apply(x_FTC: tf.Tensor): tf.Tensor {
    const attended = tf.add(x_FTC, tf.mul(this.attn.apply(this.norm1.apply(x_FTC)), this.ls1.value));
    return tf.add(attended, tf.mul(this.mlp.apply(this.norm2.apply(attended)), this.ls2.value));
  }
}

/** A frame of 448 pixels; of small pictures several go through at once, which alone would not fill the device. */
const PATCHES_AT_ONCE = 1024;

export class SpatialEncoder {
  private readonly patchWeight: Parameter;
  private readonly patchBias: Parameter;
  private readonly classEmbedding: Parameter;
  private readonly positions: Parameter;
  private readonly blocks: Block[];

  constructor(
    scope: Scope,
    private readonly config: SpatialConfig,
  ) {
    const { hiddenSize: c, patchSize: p, imageSize, positionStd, numLayers } = config;
    const embeddings = scope.child('embeddings');
    const grid = imageSize / p;
    this.classEmbedding = embeddings.parameter('class_embedding', [1, 1, c], normal(positionStd));
    const patch = embeddings.child('patch_embedding');
    this.patchWeight = patch.parameter('weight', [c, 3, p, p], normal((3 * p * p) ** -0.5));
    this.patchBias = patch.parameter('bias', [c], zeros);
    this.positions = embeddings.parameter('position_embedding', [1, 1 + grid * grid, c], normal(positionStd));
    this.blocks = Array.from({ length: numLayers }, (_, n) => new Block(scope.child(`encoder.layers.${n}`), config));
  }

  /** Width of an output token: four neighbouring patches side by side. */
  get outputSize(): number {
    return 4 * this.config.hiddenSize;
  }

  /** @param patches_FNP from {@link patchify} -> tokens [F, N / 4, 4 C] */
  apply(patches_FNP: tf.Tensor3D): tf.Tensor3D {
    const { hiddenSize: c } = this.config;
    const [frames, patches, pixels] = patches_FNP.shape;
    const weight = tf.reshape(this.patchWeight.value, [c, pixels]);
    const embedded = linear(patches_FNP, weight, this.patchBias.value);
    const cls = tf.tile(this.classEmbedding.value, [frames, 1, 1]);
    let x_FTC: tf.Tensor = tf.add(tf.concat([cls, embedded], 1), this.positions.value);
    for (const block of this.blocks) {
      const y_FTC = tf.tidy(() => block.apply(x_FTC));
      // A block's input and intermediates would stay until all blocks are done; what a tape needs of them it has saved.
      x_FTC.dispose();
      x_FTC = y_FTC;
    }
    return pixelShuffle(tf.slice(x_FTC, [0, 1, 0], [frames, patches, c]) as tf.Tensor3D);
  }

  /** Frozen encoding of all frames, some at a time: memory does not grow with their number. @returns [F * N / 4, 4 C] */
  encode(frames: Frames): tf.Tensor2D {
    const { patchSize } = this.config;
    const patches = (frames.height / patchSize) * (frames.width / patchSize);
    const step = Math.max(1, Math.floor(PATCHES_AT_ONCE / patches));
    return tf.tidy(() => {
      const tokens: tf.Tensor[] = [];
      for (let start = 0; start < frames.count; start += step) {
        const count = Math.min(step, frames.count - start);
        tokens.push(tf.tidy(() => this.apply(patchify(frames, start, count, this.config))));
      }
      return tf.reshape(tf.concat(tokens, 0), [-1, this.outputSize]);
    });
  }
}

/** Row-major 2x2 neighbours become one token: [F, N, C] -> [F, N / 4, 4 C] (pixel shuffle v2, ratio 0.5). */
export function pixelShuffle(x_FNC: tf.Tensor3D): tf.Tensor3D {
  const [frames, patches, c] = x_FNC.shape;
  const half = Math.sqrt(patches) / 2;
  const blocks = tf.reshape(x_FNC, [frames * half, 2, half, 2 * c]);
  return tf.reshape(tf.transpose(blocks, [0, 2, 1, 3]), [frames, half * half, 4 * c]);
}
