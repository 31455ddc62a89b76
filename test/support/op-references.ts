/**
 * The ops as plain loops in float64: what each means, with no regard for speed.
 *
 * Arguments and outputs follow the fused kernels, and shapes are taken as already checked.
 */
import { philox4x32 } from '../../src/base/rng.js';
import type { AdamWOptions } from '../../src/ops/index.js';
import { at, type HostTensor, hostTensor, sizeOf } from './host-tensor.js';

const lastAxis = (x: HostTensor): number => at(x.shape, x.shape.length - 1);
const map = (x: HostTensor, f: (value: number, index: number) => number): HostTensor =>
  hostTensor(x.shape, x.values.map(f));

export function linearReference(x: HostTensor, weight: HostTensor, bias?: HostTensor): HostTensor {
  const [outputs, inputs] = [at(weight.shape, 0), at(weight.shape, 1)];
  const shape = [...x.shape.slice(0, -1), outputs];
  return map(hostTensor(shape), (_, index) => {
    const [row, o] = [Math.floor(index / outputs), index % outputs];
    let sum = bias === undefined ? 0 : at(bias.values, o);
    for (let i = 0; i < inputs; i++) sum += at(x.values, row * inputs + i) * at(weight.values, o * inputs + i);
    return sum;
  });
}

function rowMoments(x: HostTensor, row: number): { mean: number; variance: number; meanSquare: number } {
  const width = lastAxis(x);
  const values = x.values.subarray(row * width, (row + 1) * width);
  const mean = values.reduce((sum, value) => sum + value, 0) / width;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
  const meanSquare = values.reduce((sum, value) => sum + value ** 2, 0) / width;
  return { mean, variance, meanSquare };
}

export function layerNormReference(x: HostTensor, gamma: HostTensor, beta: HostTensor, eps: number): HostTensor {
  const width = lastAxis(x);
  return map(x, (value, index) => {
    const { mean, variance } = rowMoments(x, Math.floor(index / width));
    const c = index % width;
    return ((value - mean) / Math.sqrt(variance + eps)) * at(gamma.values, c) + at(beta.values, c);
  });
}

export function rmsNormReference(x: HostTensor, gamma: HostTensor, eps: number): HostTensor {
  const width = lastAxis(x);
  return map(x, (value, index) => {
    const { meanSquare } = rowMoments(x, Math.floor(index / width));
    return (value / Math.sqrt(meanSquare + eps)) * at(gamma.values, index % width);
  });
}

/** A residual's sum and its norm, one after the other. */
export function addRmsNormReference(x: HostTensor, r: HostTensor, gamma: HostTensor, eps: number): HostTensor[] {
  const s = map(x, (value, index) => value + at(r.values, index));
  return [s, rmsNormReference(s, gamma, eps)];
}

/** scale * dropout(x) a^T b^T added to x weight^T + bias. */
export function loraLinearReference(
  [x, weight, a, b, bias]: readonly [HostTensor, HostTensor, HostTensor, HostTensor, HostTensor | undefined],
  { scale, rate, seed }: { scale: number; rate: number; seed: number },
): HostTensor {
  const base = linearReference(x, weight, bias);
  const update = linearReference(linearReference(dropoutReference(x, rate, seed), a), b);
  return map(base, (value, i) => value + scale * at(update.values, i));
}

/** By the series with positive terms 2^n x^(2n+1) / (2n+1)!!, which does not cancel. */
export function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export const geluReference = (x: HostTensor): HostTensor => map(x, (z) => (z * (1 + erf(z * Math.SQRT1_2))) / 2);

export const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

export const swiGluReference = (gate: HostTensor, up: HostTensor): HostTensor =>
  map(gate, (z, i) => z * sigmoid(z) * at(up.values, i));

export function ropeReference(x: HostTensor, positions: ArrayLike<number>, theta: number, inverse = false): HostTensor {
  const [heads, width] = [at(x.shape, 2), at(x.shape, 3)];
  const half = width / 2;
  return map(x, (value, index) => {
    const d = index % width;
    const position = at(positions, Math.floor(index / (heads * width)));
    // Rounded where PyTorch rounds; sines are of the float32 angle.
    const frequency = Math.fround(1 / Math.fround(theta ** ((2 * (d % half)) / width)));
    const angle = (inverse ? -1 : 1) * Math.fround(position * frequency);
    const partner = d < half ? -at(x.values, index + half) : at(x.values, index - half);
    return value * Math.cos(angle) + partner * Math.sin(angle);
  });
}

/** q, k, v of the fused projection x [B, T, G (perGroup + 2) D]. */
export function splitRopeReference(
  x: HostTensor,
  positions: ArrayLike<number>,
  { groups, perGroup, theta }: { groups: number; perGroup: number; theta: number },
): HostTensor[] {
  const [batch, time] = [at(x.shape, 0), at(x.shape, 1)];
  const width = lastAxis(x) / (groups * (perGroup + 2));
  const part = (first: number, heads: number) =>
    map(hostTensor([batch, time, groups * heads, width]), (_, index) => {
      const [token, head] = [
        Math.floor(index / (groups * heads * width)),
        Math.floor(index / width) % (groups * heads),
      ];
      const from = Math.floor(head / heads) * (perGroup + 2) + first + (head % heads);
      return at(x.values, (token * groups * (perGroup + 2) + from) * width + (index % width));
    });
  return [
    ropeReference(part(0, perGroup), positions, theta),
    ropeReference(part(perGroup, 1), positions, theta),
    part(perGroup + 1, 1),
  ];
}

export function attentionReference(
  q: HostTensor,
  k: HostTensor,
  v: HostTensor,
  { causal, scale }: { causal: boolean; scale: number },
  keyMask?: ArrayLike<number>,
): HostTensor {
  const [batch, time, heads, width] = [at(q.shape, 0), at(q.shape, 1), at(q.shape, 2), at(q.shape, 3)];
  const [keys, groups] = [at(k.shape, 1), at(k.shape, 2)];
  const out = hostTensor(q.shape);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const g = Math.floor(h / (heads / groups));
      const keyRow = (j: number) => ((b * keys + j) * groups + g) * width;
      for (let i = 0; i < time; i++) {
        const queryRow = ((b * time + i) * heads + h) * width;
        const weights = new Map<number, number>();
        for (let j = 0; j < keys; j++) {
          if (causal && j > i + keys - time) continue;
          if (keyMask !== undefined && at(keyMask, b * keys + j) === 0) continue;
          let score = 0;
          for (let d = 0; d < width; d++) score += at(q.values, queryRow + d) * at(k.values, keyRow(j) + d);
          weights.set(j, Math.exp(score * scale));
        }
        const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
        for (let d = 0; d < width; d++) {
          let mixed = 0;
          for (const [j, weight] of weights) mixed += (weight / total) * at(v.values, keyRow(j) + d);
          out.values[queryRow + d] = mixed;
        }
      }
    }
  }
  return out;
}

export function gatherRowsReference(table: HostTensor, indices: ArrayLike<number>): HostTensor {
  const width = at(table.shape, 1);
  return map(hostTensor([indices.length, width]), (_, i) => {
    const row = at(indices, Math.floor(i / width));
    return row < 0 ? 0 : at(table.values, row * width + (i % width));
  });
}

export function gatedFusionReference(
  x: HostTensor,
  otherMean: HostTensor,
  wSelf: HostTensor,
  wOther: HostTensor,
  bias: HostTensor,
  gain: number,
): HostTensor {
  const [tokens, width] = [at(x.shape, 1), at(x.shape, 2)];
  return map(x, (value, index) => {
    const row = Math.floor(index / width);
    const batch = Math.floor(row / tokens);
    let logit = at(bias.values, 0);
    for (let c = 0; c < width; c++) {
      logit += at(x.values, row * width + c) * at(wSelf.values, c);
      logit += at(otherMean.values, batch * width + c) * at(wOther.values, c);
    }
    return value * gain * sigmoid(logit);
  });
}

export function adaptiveAvgPool3dReference(x: HostTensor, out: readonly [number, number, number]): HostTensor {
  const [batch, time, rows, columns, width] = x.shape as [number, number, number, number, number];
  const bin = (i: number, from: number, to: number): [number, number] => [
    Math.floor((i * from) / to),
    Math.ceil(((i + 1) * from) / to),
  ];
  const shape = [batch, ...out, width];
  return map(hostTensor(shape), (_, index) => {
    const c = index % width;
    const w = Math.floor(index / width) % out[2];
    const h = Math.floor(index / (width * out[2])) % out[1];
    const t = Math.floor(index / (width * out[2] * out[1])) % out[0];
    const b = Math.floor(index / sizeOf(shape.slice(1)));
    const [[t0, t1], [h0, h1], [w0, w1]] = [bin(t, time, out[0]), bin(h, rows, out[1]), bin(w, columns, out[2])];
    let sum = 0;
    for (let ti = t0; ti < t1; ti++) {
      for (let hi = h0; hi < h1; hi++) {
        for (let wi = w0; wi < w1; wi++) {
          sum += at(x.values, (((b * time + ti) * rows + hi) * columns + wi) * width + c);
        }
      }
    }
    return sum / ((t1 - t0) * (h1 - h0) * (w1 - w0));
  });
}

export function linearCrossEntropyReference(
  hidden: HostTensor,
  weight: HostTensor,
  labels: ArrayLike<number>,
  labelSmoothing: number,
): HostTensor {
  const vocabulary = at(weight.shape, 0);
  const logits = linearReference(hidden, weight).values;
  return map(hostTensor([labels.length]), (_, row) => {
    const label = at(labels, row);
    if (label === -100) return 0;
    const rowLogits = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    const logTotal = Math.log(rowLogits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    const nll = logTotal - at(rowLogits, label);
    const smooth = rowLogits.reduce((sum, logit) => sum + (logTotal - logit), 0) / vocabulary;
    return (1 - labelSmoothing) * nll + labelSmoothing * smooth;
  });
}

export function dropoutReference(x: HostTensor, rate: number, seed: number): HostTensor {
  const words = new Uint32Array(4);
  return map(x, (value, i) => {
    philox4x32([Math.floor(i / 4), 0, 0, 0], [seed, 0x64726f70], words);
    return at(words, i % 4) < rate * 2 ** 32 ? 0 : value / (1 - rate);
  });
}

/** One update in float64, after the loop in the documentation of torch.optim.AdamW. */
export function adamWReference(
  param: HostTensor,
  grad: HostTensor,
  m: HostTensor,
  v: HostTensor,
  options: AdamWOptions,
): [HostTensor, HostTensor, HostTensor] {
  const { lr, beta1, beta2, eps, weightDecay, step, gradScale } = options;
  const scaled = map(grad, (g) => g * gradScale);
  const nextM = map(m, (mean, i) => beta1 * mean + (1 - beta1) * at(scaled.values, i));
  const nextV = map(v, (square, i) => beta2 * square + (1 - beta2) * at(scaled.values, i) ** 2);
  const next = map(param, (value, i) => {
    const mHat = at(nextM.values, i) / (1 - beta1 ** step);
    const vHat = at(nextV.values, i) / (1 - beta2 ** step);
    return value - lr * weightDecay * value - (lr * mHat) / (Math.sqrt(vHat) + eps);
  });
  return [next, nextM, nextV];
}
