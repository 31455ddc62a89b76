import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../ops/index.js';
import { Linear } from './layers.js';
import type { Scope } from './parameters.js';

/** Full multi-head self-attention of both vision encoders: fused qkv in contiguous thirds, biases everywhere. */
export class SelfAttention {
  private readonly qkv: Linear;
  private readonly proj: Linear;

  /** @param names the checkpoint's names of the two linears */
  constructor(
    scope: Scope,
    names: { qkv: string; proj: string },
    private readonly hiddenSize: number,
    private readonly numHeads: number,
  ) {
    this.qkv = new Linear(scope.child(names.qkv), hiddenSize, 3 * hiddenSize, { bias: true });
    this.proj = new Linear(scope.child(names.proj), hiddenSize, hiddenSize, { bias: true });
  }

  /** @param x_BTC any batch of sequences -> same shape */
  apply(x_BTC: tf.Tensor): tf.Tensor {
    const [batch = 1, length = 1] = x_BTC.shape;
    const heads = [batch, length, this.numHeads, this.hiddenSize / this.numHeads];
    const [q, k, v] = tf.split(this.qkv.apply(x_BTC), 3, 2);
    if (q === undefined || k === undefined || v === undefined) throw new Error('tf.split returned fewer than 3 parts');
    const out_BTHD = attention(tf.reshape(q, heads), tf.reshape(k, heads), tf.reshape(v, heads), { causal: false });
    return this.proj.apply(tf.reshape(out_BTHD, [batch, length, this.hiddenSize]));
  }
}

/** Linear - exact GELU - Linear. */
export class Mlp {
  private readonly fc1: Linear;
  private readonly fc2: Linear;

  constructor(scope: Scope, names: { fc1: string; fc2: string }, size: number, hidden: number) {
    this.fc1 = new Linear(scope.child(names.fc1), size, hidden, { bias: true });
    this.fc2 = new Linear(scope.child(names.fc2), hidden, size, { bias: true });
  }

  apply(x: tf.Tensor): tf.Tensor {
    return this.fc2.apply(this.fc1.applyGelu(x));
  }
}
