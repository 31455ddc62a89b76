/** Attention, forward and backward, beside plain loops in float64. */
import type { AttentionGradProblem, Device, FloatStorage } from '../device.js';
import { asStored, DeviceMemory } from './device-memory.js';
import { integers, normals } from './kernel-call.js';

export interface AttentionShape {
  readonly storage: FloatStorage;
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly groups: number;
  readonly headDim: number;
  readonly causal: boolean;
  /** Room behind the keys, as in a cache. Default 0. */
  readonly spare?: number;
  readonly masked?: boolean;
  /** The number of keys is read from device memory. */
  readonly counted?: boolean;
}

export interface AttentionCase extends AttentionShape {
  readonly name: string;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly dy: Float32Array;
  readonly mask: Int32Array | undefined;
}

export interface AttentionResult {
  readonly o: ArrayLike<number>;
  readonly lse: ArrayLike<number>;
  readonly dq: ArrayLike<number>;
  readonly dk: ArrayLike<number>;
  readonly dv: ArrayLike<number>;
}

export function attentionCase(shape: AttentionShape): AttentionCase {
  const { batch, queries, keys, heads, groups, headDim, causal, spare = 0, masked, counted, storage } = shape;
  const capacity = keys + spare;
  const words = [
    `${storage} B${batch} T${queries} S${keys} H${heads}/${groups} D${headDim}`,
    ...(causal ? ['causal'] : []),
    ...(spare > 0 ? [`capacity ${capacity}`] : []),
    ...(masked ? ['masked'] : []),
    ...(counted ? ['counted'] : []),
  ];
  return {
    ...shape,
    name: words.join(', '),
    q: normals(batch * queries * heads * headDim),
    k: normals(batch * capacity * groups * headDim),
    v: normals(batch * capacity * groups * headDim),
    dy: normals(batch * queries * heads * headDim),
    mask: masked ? integers(batch * capacity, 0, 4).map((word) => (word > 0 ? 1 : 0)) : undefined,
  };
}

/** Forward and backward on a device. Gradients of keys behind `keys` are left out. */
export function runAttention(device: Device, c: AttentionCase, backward = true): AttentionResult {
  const { storage, batch, queries, keys, heads, groups, headDim, causal, spare = 0 } = c;
  const memory = new DeviceMemory(device);
  try {
    const o = memory.put(new Float32Array(c.q.length), storage);
    const lse = memory.put(new Float32Array(batch * heads * queries), 'f32');
    const [dq = 0, dk = 0, dv = 0] = [c.q, c.k, c.v].map(({ length }) => memory.put(new Float32Array(length), storage));
    const problem: AttentionGradProblem = {
      ...{ storage, batch, queries, heads, groups, headDim, causal, scale: headDim ** -0.5 },
      keys: c.counted ? keys + spare : keys,
      capacity: keys + spare,
      keyCount: c.counted ? memory.put(Int32Array.of(keys), 'i32') : 0,
      keyMask: c.mask === undefined ? 0 : memory.put(c.mask, 'i32'),
      ...{ q: memory.put(c.q, storage), k: memory.put(c.k, storage), v: memory.put(c.v, storage) },
      ...{ o, lse, dy: memory.put(c.dy, storage), dq, dk, dv },
    };
    device.attention(problem);
    if (backward) device.attentionGrad(problem);
    const read = (address: number, values: Float32Array) => memory.get(address, values.length, storage);
    return {
      o: read(o, c.q),
      lse: memory.get(lse, batch * heads * queries, 'f32'),
      dq: read(dq, c.q),
      dk: withoutSpare(c, read(dk, c.k)),
      dv: withoutSpare(c, read(dv, c.v)),
    };
  } finally {
    memory.dispose();
  }
}

function withoutSpare({ batch, keys, spare = 0, groups, headDim }: AttentionShape, x: ArrayLike<number>): Float64Array {
  const width = groups * headDim;
  const kept = new Float64Array(batch * keys * width);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < keys * width; i++) kept[b * keys * width + i] = x[b * (keys + spare) * width + i] ?? 0;
  }
  return kept;
}

/** The same by its definition; sizes must be small. */
export function expectedAttention(c: AttentionCase): AttentionResult {
  const { storage, batch, queries, keys, heads, groups, headDim: d, causal, spare = 0 } = c;
  const [q, k, v, dy] = [c.q, c.k, c.v, c.dy].map((x) => asStored(x, storage)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const capacity = keys + spare;
  const scale = d ** -0.5;
  const [o, dq] = [new Float64Array(q.length), new Float64Array(q.length)];
  const [dk, dv] = [new Float64Array(k.length), new Float64Array(k.length)];
  const lse = new Float64Array(batch * heads * queries);
  const dot = (x: Float32Array, at: number, y: ArrayLike<number>, from: number) => {
    let sum = 0;
    for (let e = 0; e < d; e++) sum += (x[at + e] ?? 0) * (y[from + e] ?? 0);
    return sum;
  };
  const add = (x: Float64Array, at: number, factor: number, y: ArrayLike<number>, from: number) => {
    for (let e = 0; e < d; e++) x[at + e] = (x[at + e] ?? 0) + factor * (y[from + e] ?? 0);
  };
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const g = Math.floor(h / (heads / groups));
      const keyAt = (j: number) => ((b * capacity + j) * groups + g) * d;
      for (let t = 0; t < queries; t++) {
        const at = ((b * queries + t) * heads + h) * d;
        const seen: number[] = [];
        for (let j = 0; j < keys; j++) {
          if ((!causal || j <= t + keys - queries) && c.mask?.[b * capacity + j] !== 0) seen.push(j);
        }
        const scores = seen.map((j) => scale * dot(q, at, k, keyAt(j)));
        const top = Math.max(...scores);
        const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
        lse[(b * heads + h) * queries + t] = seen.length === 0 ? Number.NEGATIVE_INFINITY : top + Math.log(total);
        const p = scores.map((score) => Math.exp(score - top) / total);
        for (const [i, j] of seen.entries()) add(o, at, p[i] ?? 0, v, keyAt(j));
        const delta = dot(dy, at, o, at);
        for (const [i, j] of seen.entries()) {
          const ds = scale * (p[i] ?? 0) * (dot(dy, at, v, keyAt(j)) - delta);
          add(dv, keyAt(j), p[i] ?? 0, dy, at);
          add(dq, at, ds, k, keyAt(j));
          add(dk, keyAt(j), ds, q, at);
        }
      }
    }
  }
  return { o, lse, dq, dk: withoutSpare(c, dk), dv: withoutSpare(c, dv) };
}

type Sizes = readonly [batch: number, queries: number, keys: number, heads: number, groups: number, headDim: number];

function inBothStorages(sizes: readonly Sizes[], extra: Partial<AttentionShape>): AttentionCase[] {
  const storages = ['f32', 'bf16'] as const;
  return sizes.flatMap(([batch, queries, keys, heads, groups, headDim]) =>
    storages.map((storage) =>
      attentionCase({ causal: false, ...extra, storage, batch, queries, keys, heads, groups, headDim }),
    ),
  );
}

/** Full, causal with grouped heads, masked, and a decoding step against a cache. */
export function smallAttention(): AttentionCase[] {
  return [
    ...inBothStorages([[1, 20, 20, 2, 2, 16]], {}),
    ...inBothStorages([[2, 18, 21, 4, 2, 16]], { causal: true, masked: true }),
    ...inBothStorages([[1, 1, 37, 4, 1, 32]], { causal: true, spare: 11, counted: true }),
  ];
}

/** Head dims of the kernels and between them, lengths around every tile, fewer and more keys than queries. */
export function manyAttention(): AttentionCase[] {
  const lengths: readonly (readonly [number, number])[] = [
    [1, 1],
    [17, 17],
    [63, 65],
    [64, 64],
    [128, 128],
    [129, 257],
    [200, 31],
  ];
  const dims = [8, 32, 40, 64, 80, 96, 128];
  const heads = [
    [1, 1],
    [4, 4],
    [6, 2],
    [8, 1],
  ] as const;
  const sizes = lengths.flatMap(([queries, keys], i) =>
    dims.map((headDim, j): Sizes => {
      const [h, g] = heads[(i + j) % heads.length] ?? [1, 1];
      return [1 + ((i + j) % 2), queries, keys, h, g, headDim];
    }),
  );
  const steps: Sizes[] = [1, 3, 16, 17].flatMap((queries): Sizes[] => [
    [1, queries, 700, 8, 2, 128],
    [2, queries, 90, 4, 4, 64],
  ]);
  const odd: Sizes[] = [
    [1, 33, 33, 2, 1, 20],
    [1, 12, 40, 3, 3, 7],
  ];
  return [
    ...inBothStorages([...sizes, ...odd], {}),
    ...inBothStorages([...sizes, ...odd], { causal: true }),
    ...inBothStorages(sizes.slice(0, 21), { causal: true, masked: true }),
    ...inBothStorages(steps, { causal: true, spare: 100 }),
    ...inBothStorages(steps, { causal: true, spare: 324, counted: true }),
  ];
}
