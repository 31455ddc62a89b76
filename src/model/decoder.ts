/**
 * The language model: the decoder of InternLM2 or Qwen2 (RMSNorm, grouped queries, RoPE, SwiGLU) with LoRA on its linears.
 *
 * Positions end at `language.maxPositions`: the checkpoints' dynamic scaling of RoPE acts beyond it only (32,768 for every
 * InternVL2.5), so up to there RoPE is plain, and what is longer is refused.
 *
 * @source InternVL modeling_internlm2.py, transformers models/qwen2; parameter names are the checkpoints'
 *
 * Shape letters: B batch, T new tokens, C hidden size, N rows, V vocabulary.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from '../base/errors.js';
import { linear } from '../ops/index.js';
import type { LanguageConfig, LoraConfig } from './config.js';
import type { DecodeOptions } from './decoder/attention.js';
import { Block } from './decoder/block.js';
import { linearFactory } from './decoder/linear-factory.js';
import { checkSegments, segmentPositions } from './decoder/segments.js';
import { FAMILY_NAMES } from './language-family.js';
import { RmsNorm } from './layers.js';
import { normal, type Parameter, type Scope } from './parameters.js';

export type { DecodeOptions } from './decoder/attention.js';

export class Decoder {
  readonly tokenEmbeddings: Parameter;
  private readonly blocks: Block[];
  private readonly norm: RmsNorm;
  private readonly output: Parameter;

  /** @param lora null switches the adapters off */
  constructor(
    scope: Scope,
    private readonly config: LanguageConfig,
    lora: LoraConfig | null,
  ) {
    const { family, hiddenSize: c, vocabSize, numLayers, embeddingStd, tieWordEmbeddings } = config;
    const names = FAMILY_NAMES[family];
    const model = scope.child('model');
    const factory = linearFactory(family, lora);
    const embeddings = model.child(names.embeddings);
    const use = tieWordEmbeddings ? 'whole' : 'rows';
    this.tokenEmbeddings = embeddings.parameter('weight', [vocabSize, c], normal(embeddingStd), use);
    this.blocks = Array.from(
      { length: numLayers },
      (_, n) => new Block(model.child(`layers.${n}`), config, n, factory),
    );
    this.norm = new RmsNorm(model.child('norm'), c, config.normEps);
    this.output = tieWordEmbeddings
      ? this.tokenEmbeddings
      : scope.child(names.output).parameter('weight', [vocabSize, c], normal(c ** -0.5));
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
    const { segments, at } = options;
    if (segments !== undefined) checkSegments(segments, x_BTC.shape, options.cache !== undefined);
    if (at === undefined) this.checkPositions(segments === undefined ? start + length : Math.max(...segments));
    const positions =
      at !== undefined
        ? tf.tile(tf.reshape(at.position_1, [1, 1]), [batch, 1])
        : segments !== undefined
          ? segmentPositions(segments)
          : Int32Array.from({ length: batch * length }, (_, i) => start + (i % length));
    const seed = options.dropoutSeed;
    const block = this.blocks[n];
    if (block === undefined) throw new RangeError(`Decoder.applyBlock: block ${n} of ${this.blocks.length}`);
    const ownSeed = seed === undefined ? undefined : seed + n * block.dropoutSeeds;
    return block.apply(x_BTC, positions, options, ownSeed);
  }

  applyNorm(x_BTC: tf.Tensor): tf.Tensor3D {
    return this.norm.apply(x_BTC) as tf.Tensor3D;
  }

  logits(hidden_NC: tf.Tensor2D): tf.Tensor2D {
    return linear(hidden_NC, this.outputWeight) as tf.Tensor2D;
  }

  private checkPositions(length: number): void {
    const { maxPositions } = this.config;
    if (length <= maxPositions) return;
    throw new ShapeError(
      'E_POSITIONS',
      `Decoder: a sequence of ${length} tokens, expected at most ${maxPositions} (model.language.maxPositions).`,
      { hint: 'Shorten the sequence: RoPE is not scaled beyond the positions the weights were trained for.' },
    );
  }
}
