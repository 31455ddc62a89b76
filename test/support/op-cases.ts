/**
 * Inputs, calls and formulas of every differentiable op, for any backend to be held against.
 *
 * Shapes are small and awkward on purpose: odd, one, single rows, more queries than keys.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as ops from '../../src/ops/index.js';
import { type HostTensor, hostTensor, randomTensor } from './host-tensor.js';
import * as reference from './op-references.js';

export interface OpCase {
  readonly name: string;
  /** Differentiable inputs. */
  readonly inputs: readonly HostTensor[];
  /** Leaves nothing but its result, inside a tidy and outside. */
  readonly op: (...inputs: tf.Tensor[]) => tf.Tensor;
  /** The same in float64 loops. */
  readonly formula: (...inputs: HostTensor[]) => HostTensor;
}

const EPS = 1e-5;

const linearCases: OpCase[] = (
  [
    ['matrix with odd sizes', [5, 7], 3],
    ['one row, one feature', [1, 1], 1],
    ['three leading axes', [2, 1, 3, 4], 5],
    ['a vector', [6], 2],
    ['no rows', [2, 0, 3], 2],
  ] as const
).flatMap(([name, shape, outputs]) => {
  const x = randomTensor(`linear ${name}`, shape);
  const weight = randomTensor('weight', [outputs, shape.at(-1) ?? 0]);
  const bias = randomTensor('bias', [outputs]);
  return [
    { name, inputs: [x, weight, bias], op: ops.linear, formula: reference.linearReference },
    { name: `${name}, no bias`, inputs: [x, weight], op: ops.linear, formula: reference.linearReference },
  ];
});

const linearGeluCases: OpCase[] = (
  [
    ['matrix with odd sizes', [5, 7], 3],
    ['three leading axes', [2, 1, 3, 4], 5],
    ['one of everything', [1, 1], 1],
    ['no rows', [2, 0, 3], 2],
  ] as const
).map(([name, shape, outputs]) => ({
  name,
  inputs: [
    randomTensor(`linearGelu ${name}`, shape),
    randomTensor('weight', [outputs, shape.at(-1) ?? 0]),
    randomTensor('bias', [outputs]),
  ],
  op: ops.linearGelu,
  formula: (x: HostTensor, weight: HostTensor, bias: HostTensor) =>
    reference.geluReference(reference.linearReference(x, weight, bias)),
}));

const loraCases: OpCase[] = (
  [
    { name: 'rank 2', shape: [2, 3, 5], outputs: 4, rank: 2, rate: 0 },
    { name: 'rank 2, dropout', shape: [2, 3, 5], outputs: 4, rank: 2, rate: 0.25 },
    { name: 'rank 3 of a matrix without bias, dropout', shape: [7, 3], outputs: 6, rank: 3, rate: 0.5, bias: false },
    { name: 'one of everything', shape: [1, 1], outputs: 1, rank: 1, rate: 0 },
    { name: 'no rows', shape: [0, 3], outputs: 2, rank: 2, rate: 0.25 },
  ] as { name: string; shape: number[]; outputs: number; rank: number; rate: number; bias?: boolean }[]
).map(({ name, shape, outputs, rank, rate, bias = true }) => ({
  name,
  inputs: [
    randomTensor('x', shape),
    randomTensor('weight', [outputs, shape.at(-1) ?? 0]),
    randomTensor('a', [rank, shape.at(-1) ?? 0]),
    randomTensor('b', [outputs, rank]),
    ...(bias ? [randomTensor('bias', [outputs])] : []),
  ],
  op: (x: tf.Tensor, weight: tf.Tensor, a_RI: tf.Tensor, b_OR: tf.Tensor, bias_O?: tf.Tensor) =>
    ops.loraLinear(x, weight, { a_RI, b_OR, scale: 1.5, dropout: { rate, seed: 11 } }, bias_O),
  formula: (x: HostTensor, weight: HostTensor, a: HostTensor, b: HostTensor, bias_O?: HostTensor) =>
    reference.loraLinearReference([x, weight, a, b, bias_O], { scale: 1.5, rate, seed: 11 }),
}));

const ROW_SHAPES = [[3, 5], [1, 1], [2, 1, 4, 7], [33], [0, 3]] as const;

const layerNormCases: OpCase[] = ROW_SHAPES.map((shape) => ({
  name: `[${shape}]`,
  inputs: [
    randomTensor('layerNorm', shape, 2),
    randomTensor('gamma', [shape.at(-1) ?? 0]),
    randomTensor('beta', [shape.at(-1) ?? 0]),
  ],
  op: (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => ops.layerNorm(x, gamma, beta, EPS),
  formula: (x: HostTensor, gamma: HostTensor, beta: HostTensor) => reference.layerNormReference(x, gamma, beta, EPS),
}));

const rmsNormCases: OpCase[] = ROW_SHAPES.map((shape) => ({
  name: `[${shape}]`,
  inputs: [randomTensor('rmsNorm', shape, 2), randomTensor('gamma', [shape.at(-1) ?? 0])],
  op: (x: tf.Tensor, gamma: tf.Tensor) => ops.rmsNorm(x, gamma, EPS),
  formula: (x: HostTensor, gamma: HostTensor) => reference.rmsNormReference(x, gamma, EPS),
}));

/** 2 s + y, so that both outputs have a gradient. */
const addRmsNormCases: OpCase[] = ROW_SHAPES.map((shape) => ({
  name: `[${shape}]`,
  inputs: [randomTensor('x', shape), randomTensor('r', shape), randomTensor('gamma', [shape.at(-1) ?? 0])],
  op: (x: tf.Tensor, r: tf.Tensor, gamma: tf.Tensor) =>
    tf.tidy(() => {
      const [s, y] = ops.addRmsNorm(x, r, gamma, EPS);
      return tf.add(tf.mul(s, 2), y);
    }),
  formula: (x: HostTensor, r: HostTensor, gamma: HostTensor) => {
    const [s, y] = reference.addRmsNormReference(x, r, gamma, EPS);
    return hostTensor(
      x.shape,
      x.values.map((_, i) => 2 * (s?.values[i] ?? Number.NaN) + (y?.values[i] ?? Number.NaN)),
    );
  },
}));

const geluCases: OpCase[] = ROW_SHAPES.map((shape) => ({
  name: `[${shape}]`,
  inputs: [randomTensor('gelu', shape, 2)],
  op: ops.gelu,
  formula: reference.geluReference,
}));

const swiGluCases: OpCase[] = ROW_SHAPES.map((shape) => ({
  name: `[${shape}]`,
  inputs: [randomTensor('gate', shape, 2), randomTensor('up', shape)],
  op: ops.swiGlu,
  formula: reference.swiGluReference,
}));

const ropeCases: OpCase[] = (
  [
    ['positions 0 to 3', [1, 4, 2, 6], [0, 1, 2, 3]],
    ['two sequences at different offsets', [2, 3, 1, 8], [0, 1, 2, 100, 101, 102]],
    ['one pair, one token', [1, 1, 1, 2], [7]],
    ['no token', [1, 0, 2, 4], []],
  ] as const
).map(([name, shape, positions]) => ({
  name,
  inputs: [randomTensor('rope', shape)],
  op: (x: tf.Tensor) => ops.rope(x, Int32Array.from(positions), 10000),
  formula: (x: HostTensor) => reference.ropeReference(x, positions, 10000),
}));

/** The three parts one after the other. */
const splitRopeCases: OpCase[] = (
  [
    ['grouped heads', [2, 3, 2 * 4 * 6], { heads: 4, groups: 2 }, [0, 1, 2, 7, 8, 100]],
    ['a key head for each query head', [1, 2, 3 * 3 * 2], { heads: 3, groups: 3 }, [5, 1]],
    ['one pair, one token', [1, 1, 3 * 2], { heads: 1, groups: 1 }, [7]],
    ['no token', [1, 0, 3 * 4], { heads: 1, groups: 1 }, []],
  ] as [string, number[], { heads: number; groups: number }, number[]][]
).map(([name, shape, sizes, positions]) => ({
  name,
  inputs: [randomTensor('qkv', shape)],
  op: (x: tf.Tensor) =>
    tf.tidy(() => {
      const parts = ops.splitRope(x, Int32Array.from(positions), { ...sizes, theta: 10000 });
      return tf.concat(parts.map((part) => tf.reshape(part, [part.size])));
    }),
  formula: (x: HostTensor) => {
    const { heads, groups } = sizes;
    const parts = reference.splitRopeReference(x, positions, { groups, perGroup: heads / groups, theta: 10000 });
    const values = parts.flatMap((part) => Array.from(part.values));
    return hostTensor([values.length], values);
  },
}));

const attentionCases: OpCase[] = (
  [
    { name: 'one head, full', q: [1, 3, 1, 4], k: [1, 5, 1, 4] },
    { name: 'grouped heads', q: [2, 3, 4, 2], k: [2, 3, 2, 2] },
    { name: 'causal', q: [1, 4, 2, 3], k: [1, 4, 2, 3], causal: true },
    { name: 'grouped, causal, offset', q: [1, 2, 6, 3], k: [1, 5, 2, 3], causal: true },
    {
      name: 'causal with more queries than keys: early rows see nothing',
      q: [1, 4, 1, 2],
      k: [1, 2, 1, 2],
      causal: true,
    },
    { name: 'key mask', q: [2, 2, 2, 3], k: [2, 3, 1, 3], mask: [1, 1, 0, 0, 1, 1] },
    {
      name: 'grouped, causal, offset and mask with a blind row',
      q: [2, 2, 2, 2],
      k: [2, 3, 1, 2],
      mask: [1, 0, 1, 0, 0, 1],
      causal: true,
    },
    { name: 'own scale', q: [1, 2, 1, 3], k: [1, 2, 1, 3], scale: 0.25 },
    { name: 'no query', q: [1, 0, 2, 2], k: [1, 3, 1, 2], causal: true },
    { name: 'one of everything', q: [1, 1, 1, 1], k: [1, 1, 1, 1], causal: true },
  ] as { name: string; q: number[]; k: number[]; causal?: boolean; scale?: number; mask?: number[] }[]
).map(({ name, q, k, causal = false, scale, mask }) => ({
  name,
  inputs: [randomTensor(`q ${name}`, q), randomTensor(`k ${name}`, k), randomTensor(`v ${name}`, k)],
  op: (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) => {
    if (mask === undefined) return ops.attention(query, key, value, { causal, scale });
    const keyMask_BS = tf.tensor(mask, k.slice(0, 2), 'int32');
    const output = ops.attention(query, key, value, { causal, scale, keyMask_BS });
    keyMask_BS.dispose();
    return output;
  },
  formula: (query: HostTensor, key: HostTensor, value: HostTensor) =>
    reference.attentionReference(query, key, value, { causal, scale: scale ?? (q.at(-1) ?? 0) ** -0.5 }, mask),
}));

const gatherRowsCases: OpCase[] = (
  [
    ['repeated and absent rows', [5, 3], [4, 0, -1, 4, 4]],
    ['one row', [1, 1], [0]],
    ['nothing but absent rows', [2, 2], [-1, -1]],
    ['no row', [2, 3], []],
  ] as const
).map(([name, shape, indices]) => ({
  name,
  inputs: [randomTensor('table', shape)],
  op: (table: tf.Tensor) => ops.gatherRows(table, Int32Array.from(indices)),
  formula: (table: HostTensor) => reference.gatherRowsReference(table, indices),
}));

const gatedFusionCases: OpCase[] = (
  [
    [2, 3, 5],
    [1, 1, 1],
    [1, 0, 2],
  ] as const
).map(([batch, tokens, channels]) => ({
  name: `[${batch}, ${tokens}, ${channels}]`,
  inputs: [
    randomTensor('fusion', [batch, tokens, channels]),
    randomTensor('otherMean', [batch, channels]),
    randomTensor('wSelf', [channels]),
    randomTensor('wOther', [channels]),
    randomTensor('gate bias', [1]),
  ],
  op: (x: tf.Tensor, otherMean: tf.Tensor, wSelf_C: tf.Tensor, wOther_C: tf.Tensor, bias_1: tf.Tensor) =>
    ops.gatedFusion(x, otherMean, { wSelf_C, wOther_C, bias_1 }, 2),
  formula: (x: HostTensor, other: HostTensor, wSelf: HostTensor, wOther: HostTensor, bias: HostTensor) =>
    reference.gatedFusionReference(x, other, wSelf, wOther, bias, 2),
}));

const adaptiveAvgPool3dCases: OpCase[] = (
  [
    ['overlapping bins', [1, 5, 3, 4, 2], [2, 2, 3]],
    ['even bins in two batches', [2, 4, 2, 2, 1], [2, 1, 2]],
    ['more bins than cells', [1, 1, 2, 3, 2], [2, 3, 4]],
    ['the same size', [1, 2, 1, 2, 3], [2, 1, 2]],
  ] as [string, number[], [number, number, number]][]
).map(([name, shape, out]) => ({
  name,
  inputs: [randomTensor('pool', shape)],
  op: (x: tf.Tensor) => ops.adaptiveAvgPool3d(x, out),
  formula: (x: HostTensor) => reference.adaptiveAvgPool3dReference(x, out),
}));

const CROSS_ENTROPY: [string, number[], number, number[], number][] = [
  ['plain', [4, 3], 5, [0, 4, 2, 2], 0],
  ['smoothed with an ignored token', [3, 4], 7, [6, -100, 1], 0.1],
  ['one token', [1, 1], 2, [1], 0.5],
  ['all ignored', [2, 3], 3, [-100, -100], 0.1],
  ['no token', [0, 2], 3, [], 0.1],
];

const linearCrossEntropyCases: OpCase[] = CROSS_ENTROPY.map(([name, shape, vocabulary, labels, labelSmoothing]) => ({
  name,
  inputs: [randomTensor('hidden', shape), randomTensor('head', [vocabulary, shape[1] ?? 0])],
  op: (hidden: tf.Tensor, weight: tf.Tensor) =>
    ops.linearCrossEntropy(hidden, weight, Int32Array.from(labels), { labelSmoothing }),
  formula: (hidden: HostTensor, weight: HostTensor) =>
    reference.linearCrossEntropyReference(hidden, weight, labels, labelSmoothing),
}));

const frozenCrossEntropyCases = linearCrossEntropyCases.map(({ name, inputs, formula }, i) => {
  const [, , , labels = [], labelSmoothing = 0] = CROSS_ENTROPY[i] ?? [];
  const options = { labelSmoothing, frozenWeight: true };
  return {
    name: `${name}, frozen head`,
    inputs,
    op: (hidden: tf.Tensor, weight: tf.Tensor) =>
      ops.linearCrossEntropy(hidden, weight, Int32Array.from(labels), options),
    formula,
  };
});

const dropoutCases: OpCase[] = [
  { name: 'rate 0', shape: [5], rate: 0 },
  { name: 'rate 0.5 over three axes', shape: [3, 5, 7], rate: 0.5 },
  { name: 'rate 0.1 of 4 n + 1 elements', shape: [9, 5], rate: 0.1 },
  { name: 'no element', shape: [0, 2], rate: 0.5 },
].map(({ name, shape, rate }) => ({
  name,
  inputs: [randomTensor('dropout', shape)],
  op: (x: tf.Tensor) => ops.dropout(x, { rate, seed: 123 }),
  formula: (x: HostTensor) => reference.dropoutReference(x, rate, 123),
}));

export const opCases = {
  linear: linearCases,
  linearGelu: linearGeluCases,
  loraLinear: loraCases,
  layerNorm: layerNormCases,
  rmsNorm: rmsNormCases,
  addRmsNorm: addRmsNormCases,
  gelu: geluCases,
  swiGlu: swiGluCases,
  rope: ropeCases,
  splitRope: splitRopeCases,
  attention: attentionCases,
  gatherRows: gatherRowsCases,
  gatedFusion: gatedFusionCases,
  adaptiveAvgPool3d: adaptiveAvgPool3dCases,
  linearCrossEntropy: [...linearCrossEntropyCases, ...frozenCrossEntropyCases],
  dropout: dropoutCases,
};
