/**
 * The language model: InternLM2's decoder (RMSNorm, fused grouped-query wqkv, RoPE, SwiGLU) with LoRA on its linears.
 *
 * @source InternVL modeling_internlm2.py; parameter names are the checkpoint's
 *
 * Shape letters: B batch, T new tokens, S tokens seen, C hidden size, G key/value heads, H query heads, D head size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { addResidual, attention, linear, splitRope, swiGlu } from '../ops/index.js';
import type { LanguageConfig, LoraConfig } from './config.js';
import type { KvCache } from './kv-cache.js';
import { LoraLinear, RmsNorm } from './layers.js';
import { normal, type Parameter, type Scope } from './parameters.js';

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
  /** Switches LoRA dropout on; every adapter derives its own mask from it. */
  readonly dropoutSeed?: number;
}

class Attention {
  private readonly wqkv: LoraLinear;
  private readonly wo: LoraLinear;

  constructor(
    scope: Scope,
    private readonly config: LanguageConfig,
    private readonly layer: number,
    loraFor: (target: LoraConfig['targets'][number]) => LoraConfig | null,
  ) {
    const { hiddenSize: c, numHeads, numKvHeads } = config;
    const headSize = c / numHeads;
    this.wqkv = new LoraLinear(scope.child('wqkv'), c, (numHeads + 2 * numKvHeads) * headSize, loraFor('wqkv'));
    this.wo = new LoraLinear(scope.child('wo'), c, c, loraFor('wo'));
  }

  apply(x_BTC: tf.Tensor, positions: Int32Array | tf.Tensor, options: DecodeOptions, dropoutSeed?: number): tf.Tensor {
    const [batch = 1, length = 1, c = 1] = x_BTC.shape;
    const { numHeads: heads, numKvHeads: groups } = this.config;
    const qkv_BTF = this.wqkv.apply(x_BTC, dropoutSeed);
    const { cache, at } = options;
    const positionCount = at === undefined ? undefined : cache?.capacity;
    const parts = splitRope(qkv_BTF, positions, { heads, groups, theta: this.config.ropeTheta, positionCount });
    const [q_BTHD, k_BTGD, v_BTGD] = parts;
    let cached: { k_BSGD: tf.Tensor; v_BSGD: tf.Tensor; keys?: number } = { k_BSGD: k_BTGD, v_BSGD: v_BTGD };
    if (cache !== undefined && at === undefined) cached = cache.append(this.layer, k_BTGD, v_BTGD);
    else if (cache !== undefined && at !== undefined)
      cached = cache.appendAt(this.layer, k_BTGD, v_BTGD, at.position_1);
    const { k_BSGD, v_BSGD, keys } = cached;
    const out_BTHD = attention(q_BTHD, k_BSGD, v_BSGD, {
      ...{ causal: true, keys, keyCount_1: at?.keyCount_1, keyMask_BS: options.keyMask_BS },
    });
    return this.wo.apply(
      tf.reshape(out_BTHD, [batch, length, c]),
      dropoutSeed === undefined ? undefined : dropoutSeed + 1,
    );
  }
}

class Block {
  private readonly attentionNorm: RmsNorm;
  private readonly attention: Attention;
  private readonly ffnNorm: RmsNorm;
  private readonly gate: LoraLinear;
  private readonly up: LoraLinear;
  private readonly down: LoraLinear;

  constructor(scope: Scope, config: LanguageConfig, lora: LoraConfig | null, layer: number) {
    const { hiddenSize: c, intermediateSize: f, normEps } = config;
    const loraFor = (target: LoraConfig['targets'][number]) => (lora?.targets.includes(target) ? lora : null);
    this.attentionNorm = new RmsNorm(scope.child('attention_norm'), c, normEps);
    this.attention = new Attention(scope.child('attention'), config, layer, loraFor);
    this.ffnNorm = new RmsNorm(scope.child('ffn_norm'), c, normEps);
    const ffn = scope.child('feed_forward');
    this.gate = new LoraLinear(ffn.child('w1'), c, f, loraFor('w1'));
    this.up = new LoraLinear(ffn.child('w3'), c, f, loraFor('w3'));
    this.down = new LoraLinear(ffn.child('w2'), f, c, loraFor('w2'));
  }

  /** Five consecutive dropout seeds from `dropoutSeed` are this block's. */
  apply(x_BTC: tf.Tensor, positions: Int32Array | tf.Tensor, options: DecodeOptions, dropoutSeed?: number): tf.Tensor {
    const seed = (offset: number) => (dropoutSeed === undefined ? undefined : dropoutSeed + offset);
    const update = this.attention.apply(this.attentionNorm.apply(x_BTC), positions, options, seed(0));
    const [attended, z] = this.ffnNorm.applyToSum(x_BTC, update);
    const gated = swiGlu(this.gate.apply(z, seed(2)), this.up.apply(z, seed(3)));
    return addResidual(attended, this.down.apply(gated, seed(4)));
  }
}

const DROPOUT_SEEDS_PER_BLOCK = 5;

export class Decoder {
  readonly tokenEmbeddings: Parameter;
  private readonly blocks: Block[];
  private readonly norm: RmsNorm;
  private readonly output: Parameter;

  /** @param lora null switches the adapters off */
  constructor(scope: Scope, config: LanguageConfig, lora: LoraConfig | null) {
    const { hiddenSize: c, vocabSize, numLayers, embeddingStd, tieWordEmbeddings } = config;
    const model = scope.child('model');
    this.tokenEmbeddings = model.child('tok_embeddings').parameter('weight', [vocabSize, c], normal(embeddingStd));
    this.blocks = Array.from({ length: numLayers }, (_, n) => new Block(model.child(`layers.${n}`), config, lora, n));
    this.norm = new RmsNorm(model.child('norm'), c, config.normEps);
    this.output = tieWordEmbeddings
      ? this.tokenEmbeddings
      : scope.child('output').parameter('weight', [vocabSize, c], normal(c ** -0.5));
  }

  /** [V, C], for the fused loss. */
  get outputWeight(): tf.Tensor {
    return this.output.value;
  }

  get trainsOutput(): boolean {
    return this.output.trainable;
  }

  get numBlocks(): number {
    return this.blocks.length;
  }

  /** @param x_BTC input embeddings -> hidden states after the final norm, same shape */
  apply(x_BTC: tf.Tensor3D, options: DecodeOptions = {}): tf.Tensor3D {
    const start = options.cache?.length ?? 0;
    let x: tf.Tensor = x_BTC;
    for (let n = 0; n < this.blocks.length; n++) {
      const y = tf.tidy(() => this.applyBlock(n, x, options, start));
      // What the tape needs of a block it has saved; the rest would stay until the whole pass ends.
      if (n > 0) x.dispose();
      x = y;
    }
    const hidden_BTC = this.applyNorm(x);
    if (this.blocks.length > 0) x.dispose();
    return hidden_BTC;
  }

  /** One block, for a caller that runs the stack itself. @param start position of the first of these tokens */
  applyBlock(n: number, x_BTC: tf.Tensor, options: DecodeOptions = {}, start = 0): tf.Tensor {
    const [batch = 1, length = 1] = x_BTC.shape;
    const positions =
      options.at === undefined
        ? Int32Array.from({ length: batch * length }, (_, i) => start + (i % length))
        : tf.tile(tf.reshape(options.at.position_1, [1, 1]), [batch, 1]);
    const seed = options.dropoutSeed;
    const ownSeed = seed === undefined ? undefined : seed + n * DROPOUT_SEEDS_PER_BLOCK;
    const block = this.blocks[n];
    if (block === undefined) throw new RangeError(`Decoder.applyBlock: block ${n} of ${this.blocks.length}`);
    return block.apply(x_BTC, positions, options, ownSeed);
  }

  applyNorm(x_BTC: tf.Tensor): tf.Tensor3D {
    return this.norm.apply(x_BTC) as tf.Tensor3D;
  }

  logits(hidden_NC: tf.Tensor2D): tf.Tensor2D {
    return linear(hidden_NC, this.outputWeight) as tf.Tensor2D;
  }
}
