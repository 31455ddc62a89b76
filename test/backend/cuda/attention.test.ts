import { afterAll, describe, expect, it } from 'vitest';
import type { AttentionGradProblem, Device, FloatStorage } from '../../../src/backend/device.js';
import { normal, openCuda, openHost, put, putFloats, readFloats, stub, worstError } from './devices.js';

const cuda = await openCuda();
const host = await openHost();
afterAll(() => {
  cuda.dispose();
  host.dispose();
});

interface Case {
  readonly storage: FloatStorage;
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly capacity?: number;
  readonly heads: number;
  readonly groups: number;
  readonly headDim: number;
  readonly causal: boolean;
  readonly masked?: boolean;
}

type Results = Readonly<Record<'o' | 'lse' | 'dq' | 'dk' | 'dv', Float32Array>>;

/** Forward and backward on one device, from numbers that depend on the sizes alone. */
function run(device: Device, c: Case, gradients = true): Results {
  const { storage, batch, queries, keys, heads, groups, headDim, causal } = c;
  const capacity = c.capacity ?? keys;
  const [sizeQ, sizeK] = [batch * queries * heads * headDim, batch * capacity * groups * headDim];
  const from = (label: string, size: number) => putFloats(device, normal(label, size), storage);
  const bytes = storage === 'bf16' ? 2 : 4;
  const mask = Int32Array.from({ length: batch * capacity }, (_, i) => (i % 5 === 1 ? 0 : 1));
  const p: AttentionGradProblem = {
    storage,
    batch,
    queries,
    keys,
    capacity,
    keyCount: 0,
    heads,
    groups,
    headDim,
    causal,
    scale: headDim ** -0.5,
    q: from('q', sizeQ),
    k: from('k', sizeK),
    v: from('v', sizeK),
    keyMask: c.masked ? put(device, mask) : 0,
    o: device.alloc(sizeQ * bytes),
    lse: device.alloc(batch * heads * queries * 4),
    dy: from('dy', sizeQ),
    dq: device.alloc(sizeQ * bytes),
    dk: device.alloc(sizeK * bytes),
    dv: device.alloc(sizeK * bytes),
  };
  device.attention(p);
  const o = readFloats(device, p.o, sizeQ, storage);
  const lse = readFloats(device, p.lse, batch * heads * queries, 'f32');
  const none = new Float32Array(0);
  if (!gradients) return { o, lse, dq: none, dk: none, dv: none };
  device.attentionGrad(p);
  const [dq, dk, dv] = [
    readFloats(device, p.dq, sizeQ, storage),
    readFloats(device, p.dk, sizeK, storage),
    readFloats(device, p.dv, sizeK, storage),
  ];
  return { o, lse, dq, dk, dv };
}

/** Launch names of a problem, for tests of the choice of path. */
function launches(c: Case, gradients = true): string[] {
  stub.takeLaunches();
  run(cuda, c, gradients);
  return stub.takeLaunches().map(({ kernel }) => kernel);
}

/** Sums in another order and exp of 1 ulp: measured 2.9e-7. */
const FP32 = 2e-6;
/** Probabilities and scores' gradients are rounded to bf16 on the way, as the host does elsewhere: measured 8.6e-3 (dq). */
const BF16 = 2e-2;

function expectSame(c: Case): void {
  const [got, want] = [run(cuda, c), run(host, c)];
  for (const name of ['o', 'lse', 'dq', 'dk', 'dv'] as const) {
    const tolerance = c.storage === 'f32' ? FP32 : BF16;
    expect(worstError(got[name], want[name]), `${name} of ${JSON.stringify(c)}`).toBeLessThanOrEqual(tolerance);
  }
}

const SIMPLE = {
  storage: 'f32',
  batch: 2,
  queries: 7,
  keys: 7,
  heads: 4,
  groups: 2,
  headDim: 6,
  causal: false,
} as const;
const FLASH = { ...SIMPLE, storage: 'bf16', queries: 70, keys: 70, headDim: 64, batch: 1 } as const;

describe('attention by products and softmax (fp32, odd head dims)', () => {
  it('agrees with the host: full, causal, masked, one head a group, one group', () => {
    expectSame(SIMPLE);
    expectSame({ ...SIMPLE, causal: true });
    expectSame({ ...SIMPLE, masked: true, causal: true });
    expectSame({ ...SIMPLE, groups: 4 });
    expectSame({ ...SIMPLE, groups: 1, keys: 11 });
  });

  it('takes fewer queries than keys, caches with room to grow, and a single token', () => {
    expectSame({ ...SIMPLE, queries: 2, keys: 9, causal: true });
    expectSame({ ...SIMPLE, keys: 5, capacity: 12, masked: true });
    expectSame({ ...SIMPLE, queries: 1, keys: 1, heads: 1, groups: 1, headDim: 1, batch: 1 });
  });

  it('serves bf16 with head dims that the flash kernels do not take', () => {
    expectSame({ ...SIMPLE, storage: 'bf16', headDim: 9 });
    expect(launches({ ...SIMPLE, storage: 'bf16', headDim: 9 })).toContain('attention_softmax_bf16');
  });
});

describe('flash attention (bf16)', () => {
  it('agrees with the host, forward and backward', () => {
    expectSame(FLASH);
    expectSame({ ...FLASH, causal: true, masked: true, headDim: 32 });
  });

  it('decodes few queries over many keys in ranges that are combined', () => {
    const decode = { ...FLASH, queries: 1, keys: 600, capacity: 640, heads: 4, groups: 2, causal: true };
    const [got, want] = [run(cuda, decode, false), run(host, decode, false)];
    expect(worstError(got.o, want.o)).toBeLessThanOrEqual(BF16);
    expect(worstError(got.lse, want.lse)).toBeLessThanOrEqual(FP32);
    expect(launches(decode, false)).toEqual(['flash_decode_64', 'attention_combine_bf16']);
  });

  it('is chosen for what its kernels take, by the number of queries', () => {
    expect(launches(FLASH)).toEqual([
      'flash_forward_64_rows64',
      'attention_delta_bf16',
      'flash_backward_keys_64',
      'flash_backward_queries_64',
    ]);
    expect(launches({ ...FLASH, queries: 16 }, false)).toEqual(['flash_decode_64']);
    expect(launches({ ...FLASH, headDim: 40 }, false)).toEqual(['flash_forward_64_rows64']);
  });
});

describe('attention over nothing', () => {
  it('gives zeros where there are no keys, and zero gradients', () => {
    const { o, lse, dq } = run(cuda, { ...SIMPLE, keys: 0, capacity: 3 });
    expect([...new Set(o)]).toEqual([0]);
    expect([...new Set(lse)]).toEqual([Number.NEGATIVE_INFINITY]);
    expect([...new Set(dq)]).toEqual([0]);
  });

  it('does nothing for an empty batch', () => {
    expect(launches({ ...SIMPLE, batch: 0 })).toEqual([]);
  });
});
