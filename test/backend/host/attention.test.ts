import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { AttentionGradProblem, FloatStorage } from '../../../src/backend/device.js';
import { Rng } from '../../../src/base/rng.js';
import { at } from '../../support/host-tensor.js';
import { Buffers, device, randomValues, readValues, rounded } from './host-memory.js';

interface Shape {
  readonly B: number;
  readonly T: number;
  readonly S: number;
  readonly H: number;
  readonly G: number;
  readonly D: number;
  readonly causal?: boolean;
  readonly masked?: boolean;
  /** Positions kept per item; default S. */
  readonly capacity?: number;
  /** The number of keys lies in device memory; `keys` is then only the most there can be. */
  readonly counted?: boolean;
}

/** Around the blocks (48 queries, 128 keys, 12 rows, 16 and 32 columns), grouped heads, caches, one to many key heads. */
const SHAPES: readonly Shape[] = [
  { B: 0, T: 3, S: 3, H: 1, G: 1, D: 4 },
  { B: 1, T: 0, S: 3, H: 1, G: 1, D: 4 },
  { B: 1, T: 3, S: 0, H: 2, G: 1, D: 4 },
  { B: 1, T: 1, S: 1, H: 1, G: 1, D: 1 },
  { B: 2, T: 3, S: 5, H: 2, G: 1, D: 5 },
  { B: 3, T: 17, S: 17, H: 4, G: 4, D: 16 },
  { B: 2, T: 33, S: 33, H: 4, G: 2, D: 24, causal: true },
  { B: 1, T: 48, S: 128, H: 2, G: 2, D: 8, causal: true },
  { B: 1, T: 49, S: 129, H: 3, G: 1, D: 40, causal: true },
  { B: 2, T: 70, S: 70, H: 4, G: 2, D: 16, causal: true, masked: true },
  { B: 1, T: 7, S: 300, H: 2, G: 1, D: 64, masked: true, capacity: 320 },
  { B: 1, T: 300, S: 7, H: 2, G: 2, D: 5, causal: true },
  { B: 2, T: 100, S: 270, H: 2, G: 1, D: 33, causal: true, masked: true, capacity: 271, counted: true },
  { B: 1, T: 1, S: 200, H: 8, G: 2, D: 64, causal: true, capacity: 256, counted: true },
  { B: 2, T: 1, S: 131, H: 3, G: 3, D: 128, capacity: 140 },
  { B: 1, T: 290, S: 290, H: 1, G: 1, D: 17, causal: true },
];

const nameOf = ({ B, T, S, H, G, D, ...options }: Shape) =>
  `B ${B}, T ${T}, S ${S}, H ${H}, G ${G}, D ${D} ${JSON.stringify(options).replace(/[{}"]/g, '')}`;

interface Values {
  readonly o: Float64Array;
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
}

interface Inputs extends Record<'q' | 'k' | 'v' | 'dy', Float64Array> {
  readonly mask: Int32Array;
}

/** 0 hides a key; the first item hides its first half, so that rows exist that see nothing. Unused positions are NaN. */
function inputsOf({ B, T, S, H, G, D, capacity = S }: Shape, storage: FloatStorage): Inputs {
  const rng = new Rng(3, 'mask');
  const cache = (label: string) =>
    randomValues(label, B * capacity * G * D, storage).map((x, i) =>
      Math.floor(i / (G * D)) % capacity < S ? x : Number.NaN,
    );
  return {
    q: randomValues('q', B * T * H * D, storage),
    dy: randomValues('dy', B * T * H * D, storage),
    k: cache('k'),
    v: cache('v'),
    mask: Int32Array.from({ length: B * capacity }, (_, i) => (i < S / 2 ? 0 : Number(rng.uniform() < 0.7))),
  };
}

/** The definition in double precision. The gradient takes o as it is stored, as the kernel does. */
function reference(shape: Shape, { q, k, v, dy, mask }: Inputs, stored: Float64Array): Values {
  const { B, T, S, H, G, D, causal = false, masked = false, capacity = S } = shape;
  const zeros = (size: number) => new Float64Array(size);
  const [o, dq] = [zeros(B * T * H * D), zeros(B * T * H * D)];
  const [dk, dv] = [zeros(B * capacity * G * D), zeros(B * capacity * G * D)];
  const scale = D ** -0.5;
  const add = (into: Float64Array, index: number, value: number) => {
    into[index] = at(into, index) + value;
  };
  for (let row = 0; row < B * T * H; row++) {
    const [b, t, h] = [Math.floor(row / (T * H)), Math.floor(row / H) % T, row % H];
    const keyAt = (s: number) => ((b * capacity + s) * G + Math.floor(h / (H / G))) * D;
    const keys = Array.from({ length: S }, (_, s) => s).filter(
      (s) => (!causal || s <= t + S - T) && (!masked || mask[b * capacity + s] !== 0),
    );
    const dot = (x: Float64Array, i: number, y: Float64Array, j: number) => {
      let sum = 0;
      for (let d = 0; d < D; d++) sum += at(x, i + d) * at(y, j + d);
      return sum;
    };
    const scores = keys.map((s) => scale * dot(q, row * D, k, keyAt(s)));
    const top = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
    const delta = dot(dy, row * D, stored, row * D);
    keys.forEach((s, i) => {
      const p = Math.exp(at(scores, i) - top) / total;
      const ds = p * (dot(dy, row * D, v, keyAt(s)) - delta) * scale;
      for (let d = 0; d < D; d++) {
        add(o, row * D + d, p * at(v, keyAt(s) + d));
        add(dq, row * D + d, ds * at(k, keyAt(s) + d));
        add(dk, keyAt(s) + d, ds * at(q, row * D + d));
        add(dv, keyAt(s) + d, p * at(dy, row * D + d));
      }
    });
  }
  return { o, dq, dk, dv };
}

const buffers = new Buffers();

function run(shape: Shape, storage: FloatStorage, inputs: Inputs): Values {
  const { B, T, S, H, G, D, causal = false, masked = false, capacity = S, counted = false } = shape;
  const [queries, keys] = [B * T * H * D, B * capacity * G * D];
  const problem: AttentionGradProblem = {
    ...{ storage, batch: B, queries: T, keys: counted ? capacity : S, capacity, heads: H, groups: G, headDim: D },
    ...{ causal, scale: D ** -0.5, keyMask: masked ? buffers.ints(inputs.mask) : 0 },
    keyCount: counted ? buffers.ints(Int32Array.of(S)) : 0,
    ...{ q: buffers.of(inputs.q, storage), k: buffers.of(inputs.k, storage), v: buffers.of(inputs.v, storage) },
    ...{ dy: buffers.of(inputs.dy, storage), o: buffers.empty(queries, storage), lse: buffers.empty(B * T * H, 'f32') },
    ...{ dq: buffers.empty(queries, storage), dk: buffers.empty(keys, storage), dv: buffers.empty(keys, storage) },
  };
  device.attention(problem);
  device.attentionGrad(problem);
  return {
    o: readValues(problem.o, queries, storage),
    dq: readValues(problem.dq, queries, storage),
    dk: readValues(problem.dk, keys, storage),
    dv: readValues(problem.dv, keys, storage),
  };
}

const RESULTS = ['o', 'dq', 'dk', 'dv'] as const;

describe('host attention', () => {
  afterEach(() => buffers.free());
  afterAll(() => device.useThreads(2));

  for (const storage of ['f32', 'bf16'] as const) {
    // Measured, of 1 or the value, beyond the one rounding to the storage: f32 6.3e-7, bf16 1.2e-7 (dv).
    it.each(SHAPES.map((shape) => [nameOf(shape), shape] as const))(`${storage}: %s`, (_, shape) => {
      const inputs = inputsOf(shape, storage);
      const got = run(shape, storage, inputs);
      const want = reference(shape, inputs, got.o);
      for (const what of RESULTS) {
        let worst = 0;
        want[what].forEach((value, i) => {
          const spent = Math.abs(rounded(value, storage) - value);
          const error = (Math.abs(at(got[what], i) - value) - spent) / Math.max(1, Math.abs(value));
          worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
        });
        expect(worst, what).toBeLessThan(2e-6);
      }
    });

    it(`${storage}: gives the same bits with any number of threads, for few heads and for many`, () => {
      for (const shape of [
        { B: 1, T: 300, S: 700, H: 2, G: 1, D: 32, causal: true },
        { B: 3, T: 150, S: 150, H: 4, G: 4, D: 16, causal: true },
      ]) {
        const inputs = inputsOf(shape, storage);
        device.useThreads(1);
        const alone = run(shape, storage, inputs);
        for (const threads of [2, 3, 8]) {
          device.useThreads(threads);
          expect(run(shape, storage, inputs)).toEqual(alone);
        }
      }
    });
  }
});
