import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import * as ops from '../../src/ops/index.js';
import { stockGradientCases } from '../support/stock-gradient-cases.js';
import { STOCK_KERNELS } from '../support/stock-kernels.js';
import { type AgreementCase, describeAgreement, floats, type Source } from './agreement.js';

type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Output and all gradients: on native by the fused kernels, on cpu by the op's definition in stock ops. */
const withGradients = (name: string, inputs: Source[], op: Op): AgreementCase => ({
  name,
  inputs,
  op: (...tensors) => {
    const output = op(...tensors);
    const dy = tf.cos(tf.reshape(tf.range(0, output.size), output.shape));
    return [output, ...tf.grads(op)(tensors, dy)];
  },
});

const rng = new Rng(5, 'fused kernels');
const labelsOf = (count: number, vocabulary: number) =>
  Int32Array.from({ length: count }, (_, i) => (i % 7 === 3 ? -100 : rng.int(vocabulary)));
const labels = labelsOf(90, 333);
const indices = Int32Array.from({ length: 500 }, (_, i) => (i % 11 === 5 ? -1 : rng.int(40)));
const positions = Int32Array.from({ length: 2 * 70 }, (_, i) => (i * 37) % 5000);
const unsmoothed = { labelSmoothing: 0 };
const smoothed = { labelSmoothing: 0.1 };

const lora =
  (rate: number): Op =>
  (x, weight, a_RI, b_OR, bias?: tf.Tensor) => {
    if (!x || !weight || !a_RI || !b_OR) throw new RangeError('a tensor is missing');
    return ops.loraLinear(x, weight, { a_RI, b_OR, scale: 0.5, dropout: { rate, seed: 9 } }, bias);
  };

// Larger than the cases of every op: many chunks of tokens, several threads, rests behind the last vector.
// Measured: 1.2e-5 (gradient of gamma, where the cpu backend sums 4000 terms in one float32).
describeAgreement('a fused kernel on long inputs', 4e-5, [
  withGradients('linear', [floats(333, 70), floats(90, 70), floats(90)], ops.linear),
  withGradients('layerNorm', [floats(4000, 70), floats(70), floats(70)], (x, g, b) => ops.layerNorm(x, g, b, 1e-5)),
  withGradients('layerNorm of one token', [floats(1, 300), floats(300), floats(300)], (x, g, b) =>
    ops.layerNorm(x, g, b, 1e-5),
  ),
  withGradients('rmsNorm', [floats(1500, 190), floats(190)], (x, g) => ops.rmsNorm(x, g, 1e-6)),
  withGradients('addRmsNorm', [floats(1500, 190), floats(1500, 190), floats(190)], (x, r, g) => {
    const [s, y] = ops.addRmsNorm(x, r, g, 1e-6);
    return tf.add(tf.mul(s, 2), y);
  }),
  withGradients('linearGelu', [floats(333, 70), floats(90, 70), floats(90)], ops.linearGelu),
  withGradients('loraLinear', [floats(333, 70), floats(90, 70), floats(8, 70), floats(90, 8), floats(90)], lora(0)),
  withGradients('loraLinear with dropout', [floats(333, 70), floats(90, 70), floats(8, 70), floats(90, 8)], lora(0.3)),
  withGradients('splitRope', [floats(2, 70, 2 * 5 * 24)], (x) => {
    const parts = ops.splitRope(x, positions, { heads: 6, groups: 2, theta: 10000 });
    return tf.concat(parts.map((part) => tf.reshape(part, [part.size])));
  }),
  withGradients('gatedFusion', [floats(2, 300, 70), floats(2, 70), floats(70), floats(70), floats(1)], (...inputs) => {
    const [x, otherMean, wSelf_C, wOther_C, bias_1] = inputs;
    if (!x || !otherMean || !wSelf_C || !wOther_C || !bias_1) throw new RangeError('a tensor is missing');
    return ops.gatedFusion(x, otherMean, { wSelf_C, wOther_C, bias_1 }, 2);
  }),
  withGradients('adaptiveAvgPool3d', [floats(2, 11, 7, 5, 67)], (x) => ops.adaptiveAvgPool3d(x, [4, 3, 5])),
  withGradients('gelu', [floats(600, 501)], (x) => ops.gelu(x)),
  withGradients('swiGlu', [floats(600, 501), floats(600, 501)], ops.swiGlu),
  withGradients('rope', [floats(2, 70, 3, 24)], (x) => ops.rope(x, positions, 10000)),
  withGradients('gatherRows', [floats(40, 33)], (table) => ops.gatherRows(table, indices)),
  withGradients('dropout', [floats(600, 501)], (x) => ops.dropout(x, { rate: 0.3, seed: 4 })),
  withGradients('linearCrossEntropy', [floats(90, 20), floats(333, 20)], (hidden, weight) =>
    ops.linearCrossEntropy(hidden, weight, labels, unsmoothed),
  ),
]);

// 260 rows take two chunks.
const wide = labelsOf(260, 4000);
// Measured: 2.6e-6.
describeAgreement('a fused loss in chunks', 8e-6, [
  withGradients('linearCrossEntropy', [floats(260, 8), floats(4000, 8)], (hidden, weight) =>
    ops.linearCrossEntropy(hidden, weight, wide, smoothed),
  ),
  withGradients('linearCrossEntropy said to be frozen', [floats(260, 8), floats(4000, 8)], (hidden, weight) =>
    ops.linearCrossEntropy(hidden, weight, wide, { ...smoothed, frozenWeight: true }),
  ),
]);

// Measured: 1.1e-7.
describeAgreement(
  'a gradient of stock kernels',
  4e-7,
  stockGradientCases.map(({ kernel, name, inputs, op }) =>
    withGradients(
      `${kernel} ${name}`,
      inputs.map(({ shape, values }) => ({ shape, dtype: 'float32', values: [...values] })),
      op,
    ),
  ),
);

// Measured: 2.6e-7.
describeAgreement('an optimizer update', 8e-7, [
  {
    name: 'AdamW in its first and hundredth step',
    inputs: [floats(301), floats(301), floats(301), floats(301)],
    op: (param, grad, m, v) => {
      if (!param || !grad || !m || !v) throw new RangeError('a tensor is missing');
      const options = { lr: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01, gradScale: 0.5 };
      const state = { param, grad, m, v: tf.square(v) };
      return [1, 100].flatMap((step) => ops.adamW(state, { ...options, step }));
    },
  },
]);

describe('the kernel registry', () => {
  const fused = [
    ...[
      'Linear',
      'LinearGelu',
      'LinearGeluGrad',
      'LinearGradWeight',
      'LoraDown',
      'LoraLinear',
      'LoraGradDown',
      'LoraGradX',
      'LoraGradA',
    ],
    ...['GatedFusion', 'GatedFusionGrad', 'AdaptiveAvgPool3d', 'AdaptiveAvgPool3dGrad', 'KvAppend', 'KvGrow'],
    ...['SumSquaresMany', 'AdamWMany'],
    ...['AddRmsNorm', 'AddRmsNormGrad', 'SplitRope', 'SplitRopeGrad'],
    ...['LayerNorm', 'LayerNormGradX', 'LayerNormGradParams', 'RmsNorm', 'RmsNormGradX', 'RmsNormGradGamma'],
    ...[
      'Gelu',
      'GeluGrad',
      'SwiGlu',
      'SwiGluGrad',
      'Rope',
      'Attention',
      'AttentionGrad',
      'GatherRows',
      'ScatterAddRows',
    ],
    ...['LinearCrossEntropy', 'LinearCrossEntropyGradHidden', 'LinearCrossEntropyGradWeight'],
    ...['Dropout', 'AdamW', 'SumSquares'],
  ].map((name) => `Mimic${name}`);

  it.each([...STOCK_KERNELS, ...fused])('of native has %s', (name) => {
    const kernel: tf.KernelConfig | undefined = tf.getKernel(name, 'native');
    expect(kernel?.kernelName).toBe(name);
  });
});

describe('rope tables', () => {
  it('grow with the largest position, whatever the order of calls', async () => {
    await tf.setBackend('native');
    const x = tf.ones([1, 1, 1, 2]);
    for (const position of [1, 4097, 3, 70_000, 64]) {
      const y = ops.rope(x, Int32Array.of(position), 10000);
      const [first = 0, second = 0] = y.dataSync();
      // Measured: 6e-8.
      expect(first).toBeCloseTo(Math.cos(position) - Math.sin(position), 6);
      expect(second).toBeCloseTo(Math.cos(position) + Math.sin(position), 6);
      y.dispose();
    }
    expect(() => ops.rope(x, Int32Array.of(-1), 10000)).toThrow(
      'native MimicRope: got position -1, expected 0 or more',
    );
    x.dispose();
  });
});
