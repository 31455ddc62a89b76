import type * as tf from '@tensorflow/tfjs-core';
import { addResidual, swiGlu } from '../../ops/index.js';
import type { LanguageConfig } from '../config.js';
import { FAMILY_NAMES, type LoraTarget } from '../language-family.js';
import { type LoraLinear, RmsNorm } from '../layers.js';
import type { Scope } from '../parameters.js';
import { Attention, type DecodeOptions, type Positions } from './attention.js';
import type { LinearFactory } from './linear-factory.js';

/** Names of the feed-forward linears are those of their adapters' targets. */
const FFN = {
  internlm2: { gate: 'w1', up: 'w3', down: 'w2' },
  qwen2: { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' },
} as const satisfies Record<LanguageConfig['family'], Record<'gate' | 'up' | 'down', LoraTarget>>;

/** Pre-norm block: x += attention(norm x); x += down(silu(gate z) * up z), z = norm x. */
export class Block {
  private readonly attentionNorm: RmsNorm;
  private readonly attention: Attention;
  private readonly ffnNorm: RmsNorm;
  private readonly gate: LoraLinear;
  private readonly up: LoraLinear;
  private readonly down: LoraLinear;

  constructor(scope: Scope, config: LanguageConfig, layer: number, linear: LinearFactory) {
    const { hiddenSize: c, intermediateSize: f, normEps } = config;
    const names = FAMILY_NAMES[config.family];
    this.attentionNorm = new RmsNorm(scope.child(names.attentionNorm), c, normEps);
    this.attention = new Attention(scope.child(names.attention), config, layer, linear);
    this.ffnNorm = new RmsNorm(scope.child(names.ffnNorm), c, normEps);
    const ffn = scope.child(names.ffn);
    const { gate, up, down } = FFN[config.family];
    this.gate = linear(ffn, gate, c, f);
    this.up = linear(ffn, up, c, f);
    this.down = linear(ffn, down, f, c);
  }

  /** Dropout seeds that it takes, consecutive ones. */
  get dropoutSeeds(): number {
    return this.attention.dropoutSeeds + 3;
  }

  apply(x_BTC: tf.Tensor, positions: Positions, options: DecodeOptions, dropoutSeed?: number): tf.Tensor {
    const ffnSeed = this.attention.dropoutSeeds;
    const seed = (offset: number) => (dropoutSeed === undefined ? undefined : dropoutSeed + offset);
    const update = this.attention.apply(this.attentionNorm.apply(x_BTC), positions, options, seed(0));
    const [attended, z] = this.ffnNorm.applyToSum(x_BTC, update);
    const gated = swiGlu(this.gate.apply(z, seed(ffnSeed)), this.up.apply(z, seed(ffnSeed + 1)));
    return addResidual(attended, this.down.apply(gated, seed(ffnSeed + 2)));
  }
}
