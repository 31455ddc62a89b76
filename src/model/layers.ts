/**
 * The three layers everything is made of: each declares its parameters and applies one op.
 *
 * Shape letters: ... any leading axes, I inputs, O outputs, C channels.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { addRmsNorm, frozenLinear, gelu, layerNorm, linear, linearGelu, loraLinear, rmsNorm } from '../ops/index.js';
import type { LoraConfig } from './config.js';
import { normal, ones, type Parameter, type Scope, uniform, zeros } from './parameters.js';

/** y = x W^T + b; W is stored [out, in]. */
export class Linear {
  readonly weight: Parameter;
  private readonly bias: Parameter | undefined;

  constructor(scope: Scope, inputs: number, outputs: number, options: { bias: boolean }) {
    this.weight = scope.parameter('weight', [outputs, inputs], normal(inputs ** -0.5));
    this.bias = options.bias ? scope.parameter('bias', [outputs], zeros) : undefined;
  }

  apply(x: tf.Tensor): tf.Tensor {
    return linear(x, this.weight.value, this.bias?.value);
  }

  /** gelu(y) */
  applyGelu(x: tf.Tensor): tf.Tensor {
    return this.bias === undefined ? gelu(this.apply(x)) : linearGelu(x, this.weight.value, this.bias.value);
  }
}

/** A linear with an optional low-rank update beside its (frozen) weight; `B` starts at zero, so nothing changes. */
export class LoraLinear {
  private readonly weight: Parameter;
  private readonly bias: Parameter | undefined;
  private readonly lora: { a: Parameter; b: Parameter; scale: number; dropout: number } | undefined;

  /** @param config null for no adapter */
  constructor(
    scope: Scope,
    inputs: number,
    outputs: number,
    config: LoraConfig | null,
    options: { readonly bias: boolean } = { bias: false },
  ) {
    this.weight = scope.parameter('weight', [outputs, inputs], normal(inputs ** -0.5));
    this.bias = options.bias ? scope.parameter('bias', [outputs], zeros) : undefined;
    if (config === null) return;
    this.lora = {
      // Kaiming-uniform with a = sqrt(5), as PEFT starts A: bound sqrt(6 / (1 + 5) / fan_in).
      a: scope.child('lora_A', 'lora').parameter('weight', [config.rank, inputs], uniform(inputs ** -0.5)),
      b: scope.child('lora_B', 'lora').parameter('weight', [outputs, config.rank], zeros),
      scale: config.alpha / config.rank,
      dropout: config.dropout,
    };
  }

  /** @param dropoutSeed omit at inference: no dropout. */
  apply(x: tf.Tensor, dropoutSeed?: number): tf.Tensor {
    const [weight, bias] = [this.weight.value, this.bias?.value];
    if (this.lora === undefined) return this.weight.trainable ? linear(x, weight, bias) : frozenLinear(x, weight, bias);
    const { a, b, scale, dropout } = this.lora;
    const drop = dropoutSeed === undefined || dropout === 0 ? {} : { dropout: { rate: dropout, seed: dropoutSeed } };
    return loraLinear(x, weight, { a_RI: a.value, b_OR: b.value, scale, ...drop }, bias);
  }
}

export class LayerNorm {
  private readonly weight: Parameter;
  private readonly bias: Parameter;

  constructor(
    scope: Scope,
    size: number,
    private readonly eps: number,
  ) {
    this.weight = scope.parameter('weight', [size], ones);
    this.bias = scope.parameter('bias', [size], zeros);
  }

  apply(x: tf.Tensor): tf.Tensor {
    return layerNorm(x, this.weight.value, this.bias.value, this.eps);
  }
}

export class RmsNorm {
  private readonly weight: Parameter;

  constructor(
    scope: Scope,
    size: number,
    private readonly eps: number,
  ) {
    this.weight = scope.parameter('weight', [size], ones);
  }

  apply(x: tf.Tensor): tf.Tensor {
    return rmsNorm(x, this.weight.value, this.eps);
  }

  /** @returns the residual's sum x + r, and its norm */
  applyToSum(x: tf.Tensor, r: tf.Tensor): [tf.Tensor, tf.Tensor] {
    return addRmsNorm(x, r, this.weight.value, this.eps);
  }
}
