/** Both families' decoders written out in loops over float64: slow, and with nothing of the code it checks. */
import type { MimicChatModel } from '../../src/model/mimic-chat.js';

type Matrix = number[][];

/** Logits [L][V] of one sequence. Adapters, where the model has them, count without dropout. */
export function plainLogits(model: MimicChatModel, ids: readonly number[]): Matrix {
  const { family, numLayers, normEps, tieWordEmbeddings } = model.config.language;
  const isQwen = family === 'qwen2';
  const weights = new Weights(model);
  const table = weights.matrix(`model.${isQwen ? 'embed_tokens' : 'tok_embeddings'}.weight`);
  let x: Matrix = ids.map((id) => [...(table[id] ?? [])]);
  for (let n = 0; n < numLayers; n++) {
    const at = `model.layers.${n}`;
    const [normed, blocks] = isQwen ? ['input_layernorm', 'mlp'] : ['attention_norm', 'feed_forward'];
    const attended = attention(weights, model, at, rmsNorm(x, weights.vector(`${at}.${normed}.weight`), normEps));
    x = add(x, attended);
    const ffnNorm = isQwen ? 'post_attention_layernorm' : 'ffn_norm';
    const z = rmsNorm(x, weights.vector(`${at}.${ffnNorm}.weight`), normEps);
    const [gate = '', up = '', down = ''] = isQwen ? ['gate_proj', 'up_proj', 'down_proj'] : ['w1', 'w3', 'w2'];
    const [a, b] = [gate, up].map((name) => weights.linear(`${at}.${blocks}.${name}`, z)) as [Matrix, Matrix];
    const hidden = a.map((row, i) => row.map((value, j) => (value / (1 + Math.exp(-value))) * (b[i]?.[j] ?? 0)));
    x = add(x, weights.linear(`${at}.${blocks}.${down}`, hidden));
  }
  const head = tieWordEmbeddings ? table : weights.matrix(`${isQwen ? 'lm_head' : 'output'}.weight`);
  return times(rmsNorm(x, weights.vector('model.norm.weight'), normEps), head);
}

/** q, k, v by head as [head][position][d]; InternLM2 lays groups out as its query heads, key head, value head. */
function heads(weights: Weights, model: MimicChatModel, at: string, x: Matrix): Record<'q' | 'k' | 'v', Matrix[]> {
  const { family, hiddenSize, numHeads, numKvHeads } = model.config.language;
  const size = hiddenSize / numHeads;
  const cut = (rows: Matrix, head: number) => rows.map((row) => row.slice(head * size, (head + 1) * size));
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  if (family === 'qwen2') {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => weights.linear(`${at}.self_attn.${name}_proj`, x)) as [
      Matrix,
      Matrix,
      Matrix,
    ];
    return {
      q: range(numHeads).map((head) => cut(q, head)),
      k: range(numKvHeads).map((head) => cut(k, head)),
      v: range(numKvHeads).map((head) => cut(v, head)),
    };
  }
  const fused = weights.linear(`${at}.attention.wqkv`, x);
  const perGroup = numHeads / numKvHeads;
  const slot = (group: number, i: number) => cut(fused, group * (perGroup + 2) + i);
  return {
    q: range(numHeads).map((head) => slot(Math.floor(head / perGroup), head % perGroup)),
    k: range(numKvHeads).map((group) => slot(group, perGroup)),
    v: range(numKvHeads).map((group) => slot(group, perGroup + 1)),
  };
}

function attention(weights: Weights, model: MimicChatModel, at: string, x: Matrix): Matrix {
  const { family, hiddenSize, numHeads, numKvHeads, ropeTheta } = model.config.language;
  const size = hiddenSize / numHeads;
  const { q, k, v } = heads(weights, model, at, x);
  const mixed: Matrix = x.map(() => []);
  for (let head = 0; head < numHeads; head++) {
    const group = Math.floor(head / (numHeads / numKvHeads));
    const queries = rotated(q[head] ?? [], ropeTheta);
    const keys = rotated(k[group] ?? [], ropeTheta);
    for (const [i, query] of queries.entries()) {
      const scores = keys.slice(0, i + 1).map((key) => dot(query, key) / Math.sqrt(size));
      const top = Math.max(...scores);
      const weight = scores.map((score) => Math.exp(score - top));
      const sum = weight.reduce((a, b) => a + b, 0);
      for (let d = 0; d < size; d++) {
        mixed[i]?.push(weight.reduce((total, w, j) => total + (w / sum) * (v[group]?.[j]?.[d] ?? 0), 0));
      }
    }
  }
  return weights.linear(`${at}.${family === 'qwen2' ? 'self_attn.o_proj' : 'attention.wo'}`, mixed);
}

/** Pair (d, d + D/2) of the row at position p turned by p theta^(-2d/D). */
function rotated(rows: Matrix, theta: number): Matrix {
  return rows.map((row, position) => {
    const half = row.length / 2;
    return row.map((value, d) => {
      const angle = position * theta ** (-(d % half) / half);
      const other = d < half ? -(row[d + half] ?? 0) : (row[d - half] ?? 0);
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
  });
}

class Weights {
  constructor(private readonly model: MimicChatModel) {}

  vector(name: string): number[] {
    return Array.from(this.model.parameters.get(`language_model.${name}`)?.value.dataSync() ?? []);
  }

  matrix(name: string): Matrix {
    const [rows = 0, columns = 0] = this.model.parameters.get(`language_model.${name}`)?.shape ?? [];
    const flat = this.vector(name);
    return Array.from({ length: rows }, (_, i) => flat.slice(i * columns, (i + 1) * columns));
  }

  /** x W^T + b + alpha / rank (x A^T) B^T */
  linear(name: string, x: Matrix): Matrix {
    const bias = this.vector(`${name}.bias`);
    const plain = times(x, this.matrix(`${name}.weight`)).map((row) => row.map((value, o) => value + (bias[o] ?? 0)));
    const a = this.matrix(`${name}.lora_A.weight`);
    if (a.length === 0) return plain;
    const { alpha, rank } = this.model.config.lora;
    const update = times(times(x, a), this.matrix(`${name}.lora_B.weight`));
    return add(
      plain,
      update.map((row) => row.map((value) => (value * alpha) / rank)),
    );
  }
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const times = (x: Matrix, weight: Matrix): Matrix => x.map((row) => weight.map((column) => dot(row, column)));
const add = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => row.map((value, j) => value + (b[i]?.[j] ?? 0)));

function rmsNorm(x: Matrix, gamma: readonly number[], eps: number): Matrix {
  return x.map((row) => {
    const scale = 1 / Math.sqrt(dot(row, row) / row.length + eps);
    return row.map((value, i) => value * scale * (gamma[i] ?? 0));
  });
}
