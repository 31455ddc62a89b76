/**
 * The temporal encoder: TimeSformer's divided space-time attention over the full frame sequence.
 *
 * Works for any number of frames in bounded memory: a block attends over time for a chunk of places, then over space
 * for a chunk of frames. The output is pooled to a fixed number of tokens.
 *
 * @source Bertasius et al. 2021, arXiv:2102.05095; names and order of operations as in transformers' timesformer
 *
 * Shape letters: B videos, T frames, N places (patches of a frame), C hidden size, P = 3 * patch area.
 */
import * as tf from '@tensorflow/tfjs-core';
import { adaptiveAvgPool3d, linear } from '../ops/index.js';
import { inChunks } from './chunks.js';
import type { TemporalConfig } from './config.js';
import type { Frames } from './frames.js';
import { LayerNorm, Linear } from './layers.js';
import { normal, type Parameter, type Scope, zeros } from './parameters.js';
import { patchify } from './patchify.js';
import { resizeNearest } from './resize-nearest.js';
import { Mlp, SelfAttention } from './self-attention.js';

const ATTENTION_NAMES = { qkv: 'attention.qkv', proj: 'output.dense' };

class Block {
  private readonly temporalNorm: LayerNorm;
  private readonly temporalAttention: SelfAttention;
  private readonly temporalDense: Linear;
  private readonly spatialNorm: LayerNorm;
  private readonly spatialAttention: SelfAttention;
  private readonly mlpNorm: LayerNorm;
  private readonly mlp: Mlp;

  constructor(
    scope: Scope,
    private readonly config: TemporalConfig,
  ) {
    const { hiddenSize: c, intermediateSize, numHeads, normEps } = config;
    this.temporalNorm = new LayerNorm(scope.child('temporal_layernorm'), c, normEps);
    this.temporalAttention = new SelfAttention(scope.child('temporal_attention'), ATTENTION_NAMES, c, numHeads);
    this.temporalDense = new Linear(scope.child('temporal_dense'), c, c, { bias: true });
    this.spatialNorm = new LayerNorm(scope.child('layernorm_before'), c, normEps);
    this.spatialAttention = new SelfAttention(scope.child('attention'), ATTENTION_NAMES, c, numHeads);
    this.mlpNorm = new LayerNorm(scope.child('layernorm_after'), c, normEps);
    this.mlp = new Mlp(scope, { fc1: 'intermediate.dense', fc2: 'output.dense' }, c, intermediateSize);
  }

  apply(cls_B1C: tf.Tensor, patches_BTNC: tf.Tensor): { cls_B1C: tf.Tensor; patches_BTNC: tf.Tensor } {
    const [batch = 1, frames = 1, places = 1] = patches_BTNC.shape;
    const placesAtOnce = Math.max(1, Math.floor(this.config.chunkTokens / (batch * frames)));
    const framesAtOnce = Math.max(1, Math.floor(this.config.chunkTokens / (batch * places)));

    const timed = inChunks(patches_BTNC, 2, placesAtOnce, (part) => this.attendOverTime(part));
    // The class token's outputs (one a frame) travel as place 0, so that one chunked pass returns both.
    const spaced = inChunks(timed, 1, framesAtOnce, (part) => this.attendOverSpace(cls_B1C, part));
    const c = this.config.hiddenSize;
    const clsUpdates = tf.slice(spaced, [0, 0, 0, 0], [batch, frames, 1, c]);
    const cls = tf.add(cls_B1C, tf.reshape(tf.mean(clsUpdates, 1), [batch, 1, c]));
    return {
      cls_B1C: tf.add(cls, this.mlp.apply(this.mlpNorm.apply(cls))),
      patches_BTNC: tf.slice(spaced, [0, 0, 1, 0], [batch, frames, places, c]),
    };
  }

  /** Each place attends over the frames; the class token takes no part. */
  private attendOverTime(x_BTNC: tf.Tensor): tf.Tensor {
    const [batch = 1, frames = 1, places = 1, c = 1] = x_BTNC.shape;
    const perPlace = tf.reshape(tf.transpose(x_BTNC, [0, 2, 1, 3]), [batch * places, frames, c]);
    const update = this.temporalDense.apply(this.temporalAttention.apply(this.temporalNorm.apply(perPlace)));
    return tf.add(x_BTNC, tf.transpose(tf.reshape(update, [batch, places, frames, c]), [0, 2, 1, 3]));
  }

  /** Each frame's places and the class token attend to each other, then the MLP. Place 0 of the result is the class token's update. */
  private attendOverSpace(cls_B1C: tf.Tensor, x_BTNC: tf.Tensor): tf.Tensor {
    const [batch = 1, frames = 1, places = 1, c = 1] = x_BTNC.shape;
    const cls_BT1C = tf.tile(tf.reshape(cls_B1C, [batch, 1, 1, c]), [1, frames, 1, 1]);
    const perFrame = tf.reshape(tf.concat([cls_BT1C, x_BTNC], 2), [batch * frames, 1 + places, c]);
    const attended = this.spatialAttention.apply(this.spatialNorm.apply(perFrame));
    const update = tf.reshape(attended, [batch, frames, 1 + places, c]);
    const patches = tf.add(x_BTNC, tf.slice(update, [0, 0, 1, 0], [batch, frames, places, c]));
    const out = tf.add(patches, this.mlp.apply(this.mlpNorm.apply(patches)));
    return tf.concat([tf.slice(update, [0, 0, 0, 0], [batch, frames, 1, c]), out], 2);
  }
}

export class TemporalEncoder {
  private readonly patchWeight: Parameter;
  private readonly patchBias: Parameter;
  private readonly clsToken: Parameter;
  private readonly positions: Parameter;
  private readonly times: Parameter;
  private readonly blocks: Block[];
  private readonly norm: LayerNorm;

  constructor(
    scope: Scope,
    private readonly config: TemporalConfig,
  ) {
    const { hiddenSize: c, patchSize: p, imageSize, numFrames, positionStd, normEps, numLayers } = config;
    const embeddings = scope.child('embeddings');
    const grid = imageSize / p;
    this.clsToken = embeddings.parameter('cls_token', [1, 1, c], normal(positionStd));
    this.positions = embeddings.parameter('position_embeddings', [1, 1 + grid * grid, c], normal(positionStd));
    this.times = embeddings.parameter('time_embeddings', [1, numFrames, c], normal(positionStd));
    const patch = embeddings.child('patch_embeddings.projection');
    this.patchWeight = patch.parameter('weight', [c, 3, p, p], normal((3 * p * p) ** -0.5));
    this.patchBias = patch.parameter('bias', [c], zeros);
    this.blocks = Array.from({ length: numLayers }, (_, n) => new Block(scope.child(`encoder.layer.${n}`), config));
    this.norm = new LayerNorm(scope.child('layernorm'), c, normEps);
  }

  get outputSize(): number {
    return this.config.hiddenSize;
  }

  /** @param patches_BTNP from {@link patchify} -> pooled tokens [B, time * rows * columns, C] */
  apply(patches_BTNP: tf.Tensor4D): tf.Tensor3D {
    const [batch, frames, places, pixels] = patches_BTNP.shape;
    return this.run(this.embed(tf.reshape(patches_BTNP, [batch * frames, places, pixels])), batch);
  }

  /** Frozen encoding of a whole sequence in bounded memory. @returns [time * rows * columns, C] */
  encode(frames: Frames): tf.Tensor2D {
    const { chunkTokens, patchSize, hiddenSize: c } = this.config;
    return tf.tidy(() => {
      const places = (frames.height / patchSize) * (frames.width / patchSize);
      const step = Math.max(1, Math.floor(chunkTokens / places));
      const parts: tf.Tensor[] = [];
      for (let start = 0; start < frames.count; start += step) {
        const count = Math.min(step, frames.count - start);
        parts.push(tf.tidy(() => this.embed(patchify(frames, start, count, this.config))));
      }
      const embedded_FNC = tf.concat(parts, 0);
      tf.dispose(parts);
      return tf.reshape(this.run(embedded_FNC, 1), [-1, c]);
    });
  }

  /** Patches of single frames with their place embedding, not yet with the time's. */
  private embed(patches_FNP: tf.Tensor3D): tf.Tensor {
    const [, places, pixels] = patches_FNP.shape;
    const c = this.config.hiddenSize;
    const weight = tf.reshape(this.patchWeight.value, [c, pixels]);
    return tf.add(linear(patches_FNP, weight, this.patchBias.value), this.placeEmbeddings(places));
  }

  private placeEmbeddings(places: number): tf.Tensor {
    const [, rows = 1, c = 1] = this.positions.value.shape;
    const grid = tf.slice(this.positions.value, [0, 1, 0], [1, rows - 1, c]);
    if (places === rows - 1) return grid;
    const from = Math.sqrt(rows - 1);
    const to = Math.sqrt(places);
    const resizedRows = resizeNearest(tf.reshape(grid, [from, from, c]), 0, to);
    return tf.reshape(resizeNearest(resizedRows, 1, to), [1, places, c]);
  }

  /** Takes ownership of its argument, which holds `batch` videos: each tensor of the whole sequence is large. */
  private run(embedded_FNC: tf.Tensor, batch: number): tf.Tensor3D {
    const [count = 1, places = 1, c = 1] = embedded_FNC.shape;
    const frames = count / batch;
    const times = tf.reshape(resizeNearest(this.times.value, 1, frames), [1, frames, 1, c]);
    const clsPosition = tf.slice(this.positions.value, [0, 0, 0], [1, 1, c]);
    let cls_B1C: tf.Tensor = tf.tile(tf.add(this.clsToken.value, clsPosition), [batch, 1, 1]);
    let patches_BTNC: tf.Tensor = tf.tidy(() => tf.add(tf.reshape(embedded_FNC, [batch, frames, places, c]), times));
    embedded_FNC.dispose();
    for (const block of this.blocks) {
      const next = tf.tidy(() => block.apply(cls_B1C, patches_BTNC));
      // As in the spatial encoder: what a tape needs it has saved.
      tf.dispose([cls_B1C, patches_BTNC]);
      ({ cls_B1C, patches_BTNC } = next);
    }
    const grid = Math.sqrt(places);
    const normed = tf.reshape(this.norm.apply(patches_BTNC), [batch, frames, grid, grid, c]) as tf.Tensor5D;
    return tf.reshape(adaptiveAvgPool3d(normed, this.config.pool), [batch, -1, c]);
  }
}
