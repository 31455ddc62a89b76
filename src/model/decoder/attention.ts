/**
 * A decoder's grouped-query attention: projections of the family, keys and values through the cache, output projection.
 *
 * Shape letters: B batch, T new tokens, S tokens seen, C hidden size, G key/value heads, H query heads, D head size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../../ops/index.js';
import type { LanguageConfig } from '../config.js';
import type { KvCache } from '../kv-cache.js';
import type { LoraLinear } from '../layers.js';
import type { Scope } from '../parameters.js';
import { FusedProjections } from './fused-projections.js';
import type { LinearFactory } from './linear-factory.js';
import { type Segments, segmentedAttention } from './segments.js';
import { SeparateProjections } from './separate-projections.js';

export interface DecodeOptions {
  /** Tokens before these; the new ones are appended to it. */
  readonly cache?: KvCache;
  /**
   * Where one new token an item goes in the cache, and how many keys there are with it, as int32 tensors [1] on the device:
   * for a step that is recorded once and runs again. The cache's memory is reserved before.
   */
  readonly at?: { readonly position_1: tf.Tensor; readonly keyCount_1: tf.Tensor };
  /** Int32 [B, S], S being the cache's capacity where there is one: 1 keep, 0 drop. Right padding needs none: a causal query never sees what follows it. */
  readonly keyMask_BS?: tf.Tensor2D;
  /** The batch is one row of several samples of these lengths, which see nothing of each other. */
  readonly segments?: Segments | undefined;
  /** Switches LoRA dropout on; every adapter derives its own mask from it. */
  readonly dropoutSeed?: number;
}

/** Positions of the new tokens: B*T numbers, or int32 [B, T]. */
export type Positions = Int32Array | tf.Tensor;

/** The family's way from hidden states to queries, keys and values, rotary embedding included. */
export interface Projections {
  /** Dropout seeds that it takes, consecutive ones. */
  readonly dropoutSeeds: number;
  /**
   * @param positionCount upper bound of positions given as a tensor
   * @returns q [B, T, H, D], k and v [B, T, G, D]
   */
  apply(
    x_BTC: tf.Tensor,
    positions: Positions,
    positionCount: number | undefined,
    dropoutSeed: number | undefined,
  ): [tf.Tensor, tf.Tensor, tf.Tensor];
}

const OUTPUT = { internlm2: 'wo', qwen2: 'o_proj' } as const;

export class Attention {
  private readonly projections: Projections;
  private readonly output: LoraLinear;

  constructor(
    scope: Scope,
    config: LanguageConfig,
    private readonly layer: number,
    linear: LinearFactory,
  ) {
    const { family, hiddenSize: c } = config;
    this.projections =
      family === 'qwen2' ? new SeparateProjections(scope, config, linear) : new FusedProjections(scope, config, linear);
    this.output = linear(scope, OUTPUT[family], c, c);
  }

  /** Dropout seeds that it takes, consecutive ones. */
  get dropoutSeeds(): number {
    return this.projections.dropoutSeeds + 1;
  }

  apply(x_BTC: tf.Tensor, positions: Positions, options: DecodeOptions, dropoutSeed?: number): tf.Tensor {
    const { cache, at, keyMask_BS, segments } = options;
    const positionCount = at === undefined ? undefined : cache?.capacity;
    const [q_BTHD, k_BTGD, v_BTGD] = this.projections.apply(x_BTC, positions, positionCount, dropoutSeed);
    const { k_BSGD, v_BSGD, keys } = this.seen(k_BTGD, v_BTGD, options);
    const out_BTHD =
      segments === undefined
        ? attention(q_BTHD, k_BSGD, v_BSGD, { causal: true, keys, keyCount_1: at?.keyCount_1, keyMask_BS })
        : segmentedAttention(q_BTHD, k_BSGD, v_BSGD, segments);
    const seed = dropoutSeed === undefined ? undefined : dropoutSeed + this.projections.dropoutSeeds;
    return this.output.apply(tf.reshape(out_BTHD, x_BTC.shape), seed);
  }

  /** These tokens' keys and values behind those of the cache. */
  private seen(
    k_BTGD: tf.Tensor,
    v_BTGD: tf.Tensor,
    { cache, at }: DecodeOptions,
  ): { k_BSGD: tf.Tensor; v_BSGD: tf.Tensor; keys?: number } {
    if (cache === undefined) return { k_BSGD: k_BTGD, v_BSGD: v_BTGD };
    if (at === undefined) return cache.append(this.layer, k_BTGD, v_BTGD);
    return cache.appendAt(this.layer, k_BTGD, v_BTGD, at.position_1);
  }
}
