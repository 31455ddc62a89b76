import type * as tf from '@tensorflow/tfjs-core';
import { splitRope } from '../../ops/index.js';
import type { LanguageConfig } from '../config.js';
import type { LoraLinear } from '../layers.js';
import type { Scope } from '../parameters.js';
import type { Positions, Projections } from './attention.js';
import type { LinearFactory } from './linear-factory.js';

/** InternLM2's one linear `wqkv`: group after group, each its query heads, then its key head, then its value head. */
export class FusedProjections implements Projections {
  readonly dropoutSeeds = 1;
  private readonly wqkv: LoraLinear;

  constructor(
    scope: Scope,
    private readonly config: LanguageConfig,
    linear: LinearFactory,
  ) {
    const { hiddenSize: c, numHeads, numKvHeads } = config;
    this.wqkv = linear(scope, 'wqkv', c, (numHeads + 2 * numKvHeads) * (c / numHeads));
  }

  apply(x_BTC: tf.Tensor, positions: Positions, positionCount: number | undefined, dropoutSeed: number | undefined) {
    const { numHeads: heads, numKvHeads: groups, ropeTheta: theta } = this.config;
    return splitRope(this.wqkv.apply(x_BTC, dropoutSeed), positions, { heads, groups, theta, positionCount });
  }
}
