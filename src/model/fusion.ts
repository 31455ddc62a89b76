/**
 * Gated fusion of the two branches in the language model's space.
 *
 * Every visual token is scaled by a gate computed from itself and the other branch's mean. Weights start at zero: the
 * spatial gate 2 sigmoid(.) starts at 1 (the base model's own tokens, untouched), the temporal gate sigmoid(.) starts
 * small, so training starts at the base model's behaviour. The paper names gated fusion but gives no formula; this
 * one is ours, behind `fusion.type`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gatedFusion } from '../ops/index.js';
import type { FusionConfig } from './config.js';
import { type Parameter, type Scope, zeros } from './parameters.js';

class Gate {
  private readonly self: Parameter;
  private readonly other: Parameter;
  private readonly bias: Parameter;

  constructor(
    scope: Scope,
    size: number,
    bias: number,
    private readonly gain: number,
  ) {
    this.self = scope.parameter('self.weight', [size], zeros);
    this.other = scope.parameter('other.weight', [size], zeros);
    this.bias = scope.parameter('bias', [1], { kind: 'constant', value: bias });
  }

  apply(tokens_BNC: tf.Tensor, otherMean_BC: tf.Tensor): tf.Tensor {
    const weights = { wSelf_C: this.self.value, wOther_C: this.other.value, bias_1: this.bias.value };
    return gatedFusion(tokens_BNC, otherMean_BC, weights, this.gain);
  }
}

export class GatedFusion {
  private readonly spatialGate: Gate;
  private readonly temporalGate: Gate | undefined;

  /** @param temporal false when the temporal branch is ablated: the spatial gate then sees a zero mean */
  constructor(scope: Scope, size: number, config: FusionConfig, temporal: boolean) {
    this.spatialGate = new Gate(scope.child('spatial'), size, 0, 2);
    this.temporalGate = temporal ? new Gate(scope.child('temporal'), size, config.temporalGateBias, 1) : undefined;
  }

  /** @returns the visual sequence [B, spatial + temporal, C] */
  apply(spatial_BNC: tf.Tensor, temporal_BMC: tf.Tensor | null): tf.Tensor {
    const spatialMean = tf.mean(spatial_BNC, 1);
    if (temporal_BMC === null || this.temporalGate === undefined) {
      return this.spatialGate.apply(spatial_BNC, tf.zerosLike(spatialMean));
    }
    const spatial = this.spatialGate.apply(spatial_BNC, tf.mean(temporal_BMC, 1));
    return tf.concat([spatial, this.temporalGate.apply(temporal_BMC, spatialMean)], 1);
  }
}
