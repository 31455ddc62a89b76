import * as tf from '@tensorflow/tfjs-core';
import { rope } from '../../ops/index.js';
import type { LanguageConfig } from '../config.js';
import type { LoraLinear } from '../layers.js';
import type { Scope } from '../parameters.js';
import type { Positions, Projections } from './attention.js';
import type { LinearFactory } from './linear-factory.js';

/** Qwen2's three linears with biases, heads in natural order; each has its adapter and its dropout apart, as PEFT has them. */
export class SeparateProjections implements Projections {
  readonly dropoutSeeds = 3;
  private readonly q: LoraLinear;
  private readonly k: LoraLinear;
  private readonly v: LoraLinear;

  constructor(
    scope: Scope,
    private readonly config: LanguageConfig,
    linear: LinearFactory,
  ) {
    const { hiddenSize: c, numHeads, numKvHeads } = config;
    const keyWidth = numKvHeads * (c / numHeads);
    this.q = linear(scope, 'q_proj', c, c, { bias: true });
    this.k = linear(scope, 'k_proj', c, keyWidth, { bias: true });
    this.v = linear(scope, 'v_proj', c, keyWidth, { bias: true });
  }

  apply(
    x_BTC: tf.Tensor,
    positions: Positions,
    positionCount: number | undefined,
    dropoutSeed: number | undefined,
  ): [tf.Tensor, tf.Tensor, tf.Tensor] {
    const [batch = 1, length = 1] = x_BTC.shape;
    const { hiddenSize, numHeads, numKvHeads, ropeTheta } = this.config;
    const seed = (offset: number) => (dropoutSeed === undefined ? undefined : dropoutSeed + offset);
    const byHead = (x: tf.Tensor, heads: number) => tf.reshape(x, [batch, length, heads, hiddenSize / numHeads]);
    const q_BTHD = byHead(this.q.apply(x_BTC, seed(0)), numHeads);
    const k_BTGD = byHead(this.k.apply(x_BTC, seed(1)), numKvHeads);
    const v_BTGD = byHead(this.v.apply(x_BTC, seed(2)), numKvHeads);
    const turn = (x: tf.Tensor) => rope(x, positions, ropeTheta, { positionCount });
    return [turn(q_BTHD), turn(k_BTGD), v_BTGD];
  }
}
