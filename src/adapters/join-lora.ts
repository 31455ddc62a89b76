/**
 * LoRA pairs of Python's linears as the pairs of ours: one rank and one alpha for all, q, k and v joined where ours are
 * fused. What is computed stays the same; ranks are padded with zeros and scales folded into B.
 */
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';
import type { WeightSource } from '../model/weights/source.js';
import { putRows } from './matrix-rows.js';
import type { LoraPair } from './read-adapter.js';
import { readFloat32 } from './read-tensor.js';

export interface JoinedLora {
  readonly rank: number;
  /** The scale of B A is alpha / rank. */
  readonly alpha: number;
  /** `wqkv`, `wo`, ...: the ends of the linears' names. */
  readonly targets: readonly string[];
  readonly entries: readonly SafetensorsEntry[];
  /** Linears that the adapter leaves out; they get zeros. */
  readonly zeros: readonly string[];
}

interface Pair extends LoraPair {
  readonly scale: number;
  readonly valuesA: Float32Array;
  readonly valuesB: Float32Array;
}

/**
 * @param linears every linear of our decoder with its [outputs, inputs]
 * @param scaleOf the factor on B A of a module
 */
export async function joinLora(
  source: WeightSource,
  pairs: readonly LoraPair[],
  linears: ReadonlyMap<string, readonly [number, number]>,
  scaleOf: (pair: LoraPair) => number,
): Promise<JoinedLora> {
  const byLinear = new Map<string, Pair[]>();
  for (const pair of pairs) {
    const values = { valuesA: await readFloat32(source, pair.a), valuesB: await readFloat32(source, pair.b) };
    byLinear.set(pair.linear, [...(byLinear.get(pair.linear) ?? []), { ...pair, scale: scaleOf(pair), ...values }]);
  }
  const scale = [...byLinear.values()][0]?.[0]?.scale ?? 1;
  const rank = Math.max(...[...byLinear.values()].map(rankOf));
  const targets = [...new Set([...linears.keys()].filter((linear) => byLinear.has(linear)).map(lastName))];
  const entries: SafetensorsEntry[] = [];
  const zeros: string[] = [];
  for (const [linear, [outputs, inputs]] of linears) {
    if (!targets.includes(lastName(linear))) continue;
    const own = byLinear.get(linear);
    if (own === undefined) zeros.push(linear);
    const a = new Float32Array(rank * inputs);
    const b = new Float32Array(outputs * rank);
    if (own !== undefined) fill(own, a, b, { rank, scale, outputs });
    entries.push({ name: `${linear}.lora_A.weight`, dtype: 'F32', shape: [rank, inputs], data: a });
    entries.push({ name: `${linear}.lora_B.weight`, dtype: 'F32', shape: [outputs, rank], data: b });
  }
  return { rank, alpha: scale * rank, targets, entries, zeros };
}

const lastName = (linear: string): string => linear.split('.').at(-1) ?? linear;

/** Parts of one fused linear share A when they come from one; then the rank stays as it was. */
function sharesA(pairs: readonly Pair[]): boolean {
  const [first, ...others] = pairs;
  return first !== undefined && others.every((pair) => Buffer.compare(bytes(first.valuesA), bytes(pair.valuesA)) === 0);
}

function bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function rankOf(pairs: readonly Pair[]): number {
  return sharesA(pairs) ? (pairs[0]?.rank ?? 0) : pairs.reduce((sum, { rank }) => sum + rank, 0);
}

/** Each pair has columns of B, and the rows of A that go with them; pairs that share A share the columns. */
function fill(
  pairs: readonly Pair[],
  a: Float32Array,
  b: Float32Array,
  { rank, scale, outputs }: { rank: number; scale: number; outputs: number },
): void {
  const isShared = sharesA(pairs);
  const inputs = a.length / rank;
  let column = 0;
  for (const pair of pairs) {
    a.set(pair.valuesA, column * inputs);
    const factor = pair.scale / scale;
    const values = factor === 1 ? pair.valuesB : pair.valuesB.map((value) => value * factor);
    putRows(b, rank, pair.rows ?? [{ start: 0, count: outputs }], { values, width: pair.rank, column });
    if (!isShared) column += pair.rank;
  }
}
