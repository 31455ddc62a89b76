import type * as tf from '@tensorflow/tfjs-core';
import { LayerNorm, Linear } from './layers.js';
import type { Scope } from './parameters.js';

/** LayerNorm eps of InternVL's mlp1: torch's default, not the encoder's. */
const PROJECTOR_EPS = 1e-5;

/**
 * Maps one branch's features into the language model's space: LayerNorm - Linear - GELU - Linear (v' = MLP(v)).
 *
 * Parameter names 0, 1, 3 are those of InternVL's `mlp1`, so the spatial projector can start from it.
 */
export class Projector {
  private readonly norm: LayerNorm;
  private readonly up: Linear;
  private readonly down: Linear;

  constructor(scope: Scope, inputs: number, hidden: number, outputs: number) {
    this.norm = new LayerNorm(scope.child(0), inputs, PROJECTOR_EPS);
    this.up = new Linear(scope.child(1), inputs, hidden, { bias: true });
    this.down = new Linear(scope.child(3), hidden, outputs, { bias: true });
  }

  /** @param features [..., inputs] -> [..., outputs] */
  apply(features: tf.Tensor): tf.Tensor {
    return this.down.apply(this.up.applyGelu(this.norm.apply(features)));
  }
}
