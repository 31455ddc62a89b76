/**
 * Shapes for every op, drawn by seed: empty, one, odd, and on both sides of any tile's edge.
 *
 * A case gives inputs and a call; the definition of what is right is the op's own composition on TF.js's cpu backend.
 */
import * as tf from '@tensorflow/tfjs-core';
import { Rng } from '../../src/base/rng.js';
import * as ops from '../../src/ops/index.js';
import { type HostTensor, randomTensor } from './host-tensor.js';

export interface SweepCase {
  readonly name: string;
  readonly inputs: readonly HostTensor[];
  readonly op: (...inputs: tf.Tensor[]) => tf.Tensor;
}

const COUNT = 32;
const SIZES = [0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 200];

/** Draws sizes: each of the first draws takes the smallest ones in turn, so that 0 and 1 are met on every axis. */
class Sizes {
  private readonly rng: Rng;
  constructor(
    op: string,
    private readonly index: number,
  ) {
    this.rng = new Rng(99, `${op}/${index}`);
  }
  private axis = 0;

  /** A size up to `max`; from 1 on when `atLeastOne`. */
  size(max: number, atLeastOne = false): number {
    const fitting = SIZES.filter((size) => size <= max && !(atLeastOne && size === 0));
    const forced = this.index === this.axis++ ? 0 : undefined;
    return fitting[forced ?? this.rng.int(fitting.length)] ?? 1;
  }
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.rng.int(items.length)] ?? items[0];
  }
  int(limit: number): number {
    return this.rng.int(limit);
  }
}

type Draw = (sizes: Sizes) => SweepCase;
const shown = (shape: readonly number[]) => `[${shape.join(', ')}]`;
const random = (label: string, ...shape: number[]) => randomTensor(label, shape);

/** Columns and rows of a weight scaled so that products stay near 1. */
const weight = (label: string, outputs: number, inputs: number) =>
  randomTensor(label, [outputs, inputs], Math.max(1, inputs) ** -0.5);

const linear: Draw = (sizes) => {
  const [m, i, o] = [sizes.size(129), sizes.size(200), sizes.size(129)];
  const inputs = [random('x', m, i), weight('w', o, i), random('bias', o)];
  return { name: `[${m}, ${i}] -> ${o}`, inputs, op: (x, w, b) => ops.linear(x, w, b) };
};

const lora: Draw = (sizes) => {
  const [m, i, o] = [sizes.size(65), sizes.size(96, true), sizes.size(96, true)];
  const rank = sizes.pick([1, 2, 8, 16]);
  const dropout = sizes.pick([undefined, { rate: 0.25, seed: 5 }]);
  const inputs = [random('x', m, i), weight('w', o, i), weight('a', rank, i), weight('b', o, rank)];
  return {
    name: `[${m}, ${i}] -> ${o}, rank ${rank}, dropout ${dropout?.rate ?? 0}`,
    inputs,
    op: (x, w, a_RI, b_OR) => ops.loraLinear(x, w, { a_RI, b_OR, scale: 1.5, dropout }),
  };
};

const layerNorm: Draw = (sizes) => {
  const [m, c] = [sizes.size(65), sizes.size(200, true)];
  return {
    name: shown([m, c]),
    inputs: [random('x', m, c), random('gamma', c), random('beta', c)],
    op: (x, gamma, beta) => ops.layerNorm(x, gamma, beta, 1e-3),
  };
};

const rmsNorm: Draw = (sizes) => {
  const [m, c] = [sizes.size(65), sizes.size(200, true)];
  return {
    name: shown([m, c]),
    inputs: [random('x', m, c), random('gamma', c)],
    op: (x, g) => ops.rmsNorm(x, g, 1e-3),
  };
};

const gelu: Draw = (sizes) => {
  const shape = [sizes.size(129), sizes.size(129)];
  return { name: shown(shape), inputs: [random('x', ...shape)], op: ops.gelu };
};

const swiGlu: Draw = (sizes) => {
  const shape = [sizes.size(129), sizes.size(129)];
  return { name: shown(shape), inputs: [random('gate', ...shape), random('up', ...shape)], op: ops.swiGlu };
};

const dropout: Draw = (sizes) => {
  const shape = [sizes.size(129), sizes.size(33)];
  const rate = sizes.pick([0.05, 0.5, 0.9]);
  return {
    name: `${shown(shape)} at ${rate}`,
    inputs: [random('x', ...shape)],
    op: (x) => ops.dropout(x, { rate, seed: 3 }),
  };
};

const rope: Draw = (sizes) => {
  const [b, t, h] = [sizes.pick([1, 2, 3]), sizes.size(65), sizes.size(5)];
  const d = 2 * sizes.size(65, true);
  const positions = Int32Array.from({ length: b * t }, (_, i) => (i % Math.max(1, t)) + 3);
  return { name: shown([b, t, h, d]), inputs: [random('x', b, t, h, d)], op: (x) => ops.rope(x, positions, 1e4) };
};

const attention: Draw = (sizes) => {
  const [t, s] = [sizes.size(129), sizes.size(129, true)];
  const [b, g] = [sizes.pick([1, 2]), sizes.pick([1, 2])];
  const h = g * sizes.pick([1, 2, 4]);
  const d = sizes.pick([64, 128, 24, 1, 7, 80]);
  const causal = sizes.pick([true, false]);
  const masked = sizes.pick([true, false]);
  const keep = Int32Array.from({ length: b * s }, (_, i) => (i % 5 === 3 ? 0 : 1));
  return {
    name: `b ${b} t ${t} s ${s} h ${h}/${g} d ${d}${causal ? ' causal' : ''}${masked ? ' masked' : ''}`,
    inputs: [random('q', b, t, h, d), random('k', b, s, g, d), random('v', b, s, g, d)],
    op: (q, k, v) => {
      const mask = masked ? { keyMask_BS: tf.tensor2d(keep, [b, s], 'int32') } : {};
      return ops.attention(q, k, v, { causal, ...mask });
    },
  };
};

const crossEntropy: Draw = (sizes) => {
  // TF.js's one-hot, in the composed definition, wants two classes at least.
  const [n, c, v] = [sizes.size(129), sizes.size(65, true), 1 + sizes.size(200, true)];
  const labels = Int32Array.from({ length: n }, (_, i) => (i % 7 === 2 ? ops.IGNORED_LABEL : (i * 31) % v));
  const labelSmoothing = sizes.pick([0, 0.05]);
  return {
    name: `n ${n} c ${c} v ${v} smoothing ${labelSmoothing}`,
    inputs: [random('hidden', n, c), weight('head', v, c)],
    op: (hidden, head) => ops.linearCrossEntropy(hidden, head, labels, { labelSmoothing }),
  };
};

const gatherRows: Draw = (sizes) => {
  const [rows, c, n] = [sizes.size(65, true), sizes.size(65, true), sizes.size(129)];
  const indices = Int32Array.from({ length: n }, (_, i) => ((i * 7) % (rows + 1)) - 1);
  return {
    name: `${n} of [${rows}, ${c}]`,
    inputs: [random('table', rows, c)],
    op: (table) => ops.gatherRows(table, indices),
  };
};

const gatedFusion: Draw = (sizes) => {
  const [b, n, c] = [sizes.pick([1, 2, 3]), sizes.size(65), sizes.size(129, true)];
  return {
    name: shown([b, n, c]),
    inputs: [random('x', b, n, c), random('other', b, c), weight('self', 1, c), weight('w', 1, c), random('bias', 1)],
    op: (x, other, wSelf, wOther, bias_1) => {
      const gate = { wSelf_C: tf.reshape(wSelf, [c]), wOther_C: tf.reshape(wOther, [c]), bias_1 };
      return ops.gatedFusion(x, other, gate, 2);
    },
  };
};

const pooling: Draw = (sizes) => {
  const [b, t, h, w] = [sizes.pick([1, 2]), sizes.size(17, true), sizes.size(9, true), sizes.size(9, true)];
  const c = sizes.size(17, true);
  const out = [1 + sizes.int(9), 1 + sizes.int(5), 1 + sizes.int(5)] as const;
  return {
    name: `${shown([b, t, h, w, c])} -> ${shown(out)}`,
    inputs: [random('x', b, t, h, w, c)],
    op: (x) => ops.adaptiveAvgPool3d(x, out),
  };
};

/** Several outputs as one, so that the gradient of each is seen. */
const joined = (outputs: readonly tf.Tensor[]) => tf.concat(outputs.map((output) => tf.reshape(output, [-1])));

const linearGelu: Draw = (sizes) => {
  const [m, i, o] = [sizes.size(129), sizes.size(96, true), sizes.size(129, true)];
  const inputs = [random('x', m, i), weight('w', o, i), random('bias', o)];
  return { name: `[${m}, ${i}] -> ${o}`, inputs, op: (x, w, b) => ops.linearGelu(x, w, b) };
};

const addRmsNorm: Draw = (sizes) => {
  const [m, c] = [sizes.size(65), sizes.size(200, true)];
  const inputs = [random('x', m, c), random('r', m, c), random('gamma', c)];
  return { name: shown([m, c]), inputs, op: (x, r, gamma) => joined(ops.addRmsNorm(x, r, gamma, 1e-3)) };
};

const splitRope: Draw = (sizes) => {
  const [b, t, groups] = [sizes.pick([1, 2]), sizes.size(33), sizes.pick([1, 2, 3])];
  const heads = groups * sizes.pick([1, 2, 4]);
  const d = 2 * sizes.size(33, true);
  const positions = Int32Array.from({ length: b * t }, (_, i) => (i % Math.max(1, t)) + 3);
  return {
    name: `b ${b} t ${t} h ${heads}/${groups} d ${d}`,
    inputs: [random('x', b, t, (heads + 2 * groups) * d)],
    op: (x) => joined(ops.splitRope(x, positions, { heads, groups, theta: 1e4 })),
  };
};

const DRAWS: Readonly<Record<string, Draw>> = {
  ...{ linear, lora, layerNorm, rmsNorm, gelu, swiGlu, dropout, rope, attention, crossEntropy },
  ...{ gatherRows, gatedFusion, pooling, linearGelu, addRmsNorm, splitRope },
};

/** 32 cases of every op. */
export function sweepCases(): Record<string, SweepCase[]> {
  return Object.fromEntries(
    Object.entries(DRAWS).map(([op, draw]) => [
      op,
      Array.from({ length: COUNT }, (_, index) => draw(new Sizes(op, index))),
    ]),
  );
}
