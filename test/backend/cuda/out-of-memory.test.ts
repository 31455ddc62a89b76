import { afterEach, describe, expect, it } from 'vitest';
import type { LiveTensor } from '../../../src/backend/cuda/allocation-table.js';
import { cheapestChange, type MemoryState, outOfMemory } from '../../../src/backend/cuda/out-of-memory.js';
import { BackendError } from '../../../src/base/errors.js';
import { openCuda, put, stub } from './devices.js';

const GIB = 2 ** 30;
const state = (tensors: readonly LiveTensor[], other: Partial<MemoryState> = {}): MemoryState => ({
  requestedBytes: GIB,
  device: 'cuda:0',
  liveBytes: 40 * GIB,
  cachedBytes: GIB,
  freeBytes: GIB / 2,
  totalBytes: 42 * GIB,
  tensors,
  ...other,
});
const many = (count: number, tensor: LiveTensor) => Array.from({ length: count }, () => tensor);

describe('outOfMemory', () => {
  it('names the largest tensors, equal ones together', () => {
    const weight = { bytes: 4 * GIB, madeBy: 'host', shape: [4096, 262144], storage: 'f32' } as const;
    const error = outOfMemory(state([weight, ...many(32, { bytes: GIB, madeBy: 'swiglu' })]));
    expect(error.code).toBe('E_OUT_OF_MEMORY');
    expect(error.message).toBe(
      'cuda:0: could not get 1 GiB: 40 GiB are in use, 1 GiB cached, 512 MiB of 42 GiB free; largest:\n' +
        '  32 x 1 GiB, made by swiglu\n' +
        '  4 GiB f32 [4096, 262144], copied from the host',
    );
  });
});

describe('cheapestChange', () => {
  const activation = { bytes: GIB, madeBy: 'gemm', shape: [4, 4096, 4096], storage: 'bf16' } as const;
  const cases: readonly [string, readonly LiveTensor[], Partial<MemoryState>, RegExp][] = [
    ['fp32 weights', [{ bytes: GIB, madeBy: 'host', storage: 'f32' }], {}, /--precision bf16 halves them/],
    ['bf16 weights', [{ bytes: GIB, madeBy: 'host', storage: 'bf16' }], {}, /a GPU with more memory/],
    ['optimizer state', [{ bytes: GIB, madeBy: 'adamw' }], {}, /train fewer parts/],
    ['logits', [{ bytes: GIB, madeBy: 'gemm', shape: [2048, 128256] }], {}, /logits/],
    ['scores', [{ bytes: GIB, madeBy: 'attention scores' }], {}, /attention scores/],
    ['activations of many blocks', many(32, activation), {}, /train.gradientCheckpointing=true/],
    ['a few fp32 activations', [{ ...activation, storage: 'f32' }], {}, /activations are in fp32/],
    ['a large batch', many(2, activation), {}, /train.batchSize/],
    ['one long sequence', many(2, { ...activation, shape: [1, 65536, 4096] }), {}, /train.maxLength, or fewer frames/],
    ['another process', many(32, activation), { liveBytes: 10 * GIB }, /other processes hold/],
  ];
  it.each(cases)('for %s', (_name, tensors, other, advice) => {
    expect(cheapestChange(state(tensors, other))).toMatch(advice);
  });
});

describe('a full GPU', () => {
  afterEach(() => stub.configure('MIMIC_STUB_MEMORY_BYTES', ''));

  it('says what fills it, and works on once something is freed', async () => {
    const device = await openCuda();
    stub.configure('MIMIC_STUB_MEMORY_BYTES', String(96 * 2 ** 20));
    const x = put(device, new Float32Array(2 ** 20));
    device.describe(x, [1024, 1024], 'f32');
    const y = device.alloc(32 * 2 ** 20);
    device.launch('gelu', x, y, 1024);
    const full = () => device.alloc(64 * 2 ** 20);
    expect(full).toThrow(BackendError);
    expect(full).toThrow(/could not get 64 MiB:.*largest:\n {2}32 MiB, made by gelu\n {2}4 MiB f32 \[1024, 1024\]/);
    device.free(y, 32 * 2 ** 20);
    stub.configure('MIMIC_STUB_MEMORY_BYTES', String(128 * 2 ** 20));
    // The cache goes back to the driver before memory counts as full.
    expect(full()).toBeGreaterThan(0);
    device.dispose();
  });
});
