/** The emulator of CUDA's execution model: what a correct kernel computes, and how a wrong one is reported. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readKernelSources } from '../../src/backend/kernel-sources.js';
import { StubDriver } from '../support/cuda/stub-driver.js';

/** NVRTC has no headers, so the backend passes the one constant that the kernels need. */
const INFINITY_OPTION = '-DINFINITY=(1.0f/0.0f)';

const SOURCE = `
// Every lane ends with its warp's sum; the block's lies in y.
extern "C" __global__ void block_totals(const int* x, int* y) {
  __shared__ int partial[32];
  int sum = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  int total = 0;
  for (int w = 0; w < blockDim.x / 32; w++) total += partial[w];
  if (threadIdx.x == 0) y[blockIdx.x] = total;
}
extern "C" __global__ void shuffles(int* y) {
  const int lane = threadIdx.x;
  y[lane] = __shfl_sync(0xffffffffu, lane, 5);
  y[32 + lane] = __shfl_up_sync(0xffffffffu, lane, 3);
  y[64 + lane] = __shfl_down_sync(0xffffffffu, lane, 3, 8);
  y[96 + lane] = (int)__ballot_sync(0xffffffffu, lane % 3 == 0);
  y[128 + lane] = lane < 16 ? __shfl_xor_sync(0x0000ffffu, lane, 1) : __shfl_sync(0xffff0000u, lane, 31);
}
// Dynamic shared memory under two names of different types.
extern "C" __global__ void reversed(float* y) {
  extern __shared__ float4 wide[];
  extern __shared__ float narrow[];
  narrow[threadIdx.x] = threadIdx.x;
  __syncthreads();
  const float4 four = wide[blockDim.x / 4 - 1 - threadIdx.x / 4];
  y[threadIdx.x] = threadIdx.x % 4 == 0 ? four.w : threadIdx.x % 4 == 1 ? four.z : threadIdx.x % 4 == 2 ? four.y : four.x;
}
extern "C" __global__ void indices(int* y) {
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  y[block * blockDim.x * blockDim.y * blockDim.z + thread] = 1000 * block + thread;
}
extern "C" __global__ void leftover(float* y) {
  __shared__ float kept;
  if (threadIdx.x == 0) y[blockIdx.x] = kept;
  kept = 1;
}
extern "C" __global__ void neighbours(int* y, int with_barrier) {
  __shared__ int cell[64];
  cell[threadIdx.x] = threadIdx.x;
  if (with_barrier) __syncthreads();
  y[threadIdx.x] = cell[63 - threadIdx.x];
}
extern "C" __global__ void __launch_bounds__(64) wrong(int* y, int how) {
  extern __shared__ int dynamic[];
  const int t = threadIdx.x;
  switch (how) {
    case 0: if (t < 16) __syncthreads(); break;
    case 1:
      if (t < 16) __syncthreads();
      else
        __syncthreads();
      break;
    case 2: if (t < 16) y[t] = __shfl_xor_sync(0xffffffffu, t, 1); break;
    case 3: if (t < 16) y[t] = __shfl_xor_sync(0xffffffffu, t, 1); else __syncthreads(); break;
    case 4: if (t < 16) y[t] = __shfl_xor_sync(0x0000ffffu, t, 16); break;
    case 5: y[t] = __shfl_xor_sync(0x0000ffffu, t, 1); break;
    case 6: dynamic[blockDim.x + t] = t; break;
    case 7: y[60 + t % 4] = t; break;
    case 8: y[1 << 20] = t; break;
    case 9: *(int*)nullptr = t; break;
    case 10: __trap(); break;
  }
}
`;

/** Not in a hook: the first build may take longer than hooks have. */
const cuda = await StubDriver.open();
let kernels: Record<string, number> = {};

cuda.start();
const load = () => {
  const module = cuda.load(cuda.compile(SOURCE));
  const names = ['block_totals', 'shuffles', 'reversed', 'indices', 'leftover', 'neighbours', 'wrong'];
  kernels = Object.fromEntries(names.map((name) => [name, cuda.kernel(module, name)]));
};
beforeAll(load);
afterEach(() => cuda.control.configure('MIMIC_STUB_REVERSE', ''));

const kernel = (name: string) => kernels[name] ?? 0;

/** The ints that a kernel wrote. */
function ints(name: string, count: number, grid: number[], block: number[], ...rest: { i32: number }[]): number[] {
  const y = cuda.put(new Int32Array(count));
  const [gx = 1, gy = 1, gz = 1] = grid;
  const [bx = 1, by = 1, bz = 1] = block;
  cuda.launch(kernel(name), { grid: [gx, gy, gz], block: [bx, by, bz] }, [{ pointer: y }, ...rest]);
  const values = [...cuda.read(y, new Int32Array(count))];
  cuda.free(y);
  return values;
}

describe('the emulator', () => {
  it.each(['', '1'])('sums blocks through shuffles and shared memory, in order and reversed', (reverse) => {
    cuda.control.configure('MIMIC_STUB_REVERSE', reverse);
    const x = Int32Array.from({ length: 5 * 96 }, (_, i) => (i * 7919) % 1000);
    const [from, to] = [cuda.put(x), cuda.alloc(5 * 4)];
    cuda.launch(kernel('block_totals'), { grid: [5], block: [96] }, [{ pointer: from }, { pointer: to }]);
    const sums = Array.from({ length: 5 }, (_, b) => x.subarray(96 * b, 96 * (b + 1)).reduce((a, v) => a + v, 0));
    expect([...cuda.read(to, new Int32Array(5))]).toEqual(sums);
  });

  it('shuffles as the hardware does', () => {
    const y = ints('shuffles', 160, [1], [32]);
    const lanes = Array.from({ length: 32 }, (_, lane) => lane);
    expect(y.slice(0, 32)).toEqual(lanes.map(() => 5));
    expect(y.slice(32, 64)).toEqual(lanes.map((lane) => (lane < 3 ? lane : lane - 3)));
    expect(y.slice(64, 96)).toEqual(lanes.map((lane) => ((lane % 8) + 3 < 8 ? lane + 3 : lane)));
    const ballot = lanes.filter((lane) => lane % 3 === 0).reduce((bits, lane) => bits | (1 << lane), 0);
    expect(y.slice(96, 128)).toEqual(lanes.map(() => ballot));
    expect(y.slice(128)).toEqual(lanes.map((lane) => (lane < 16 ? lane ^ 1 : 31)));
  });

  it('gives dynamic shared memory one place under all its names', () => {
    const y = cuda.alloc(64 * 4);
    cuda.launch(kernel('reversed'), { grid: [1], block: [64], sharedBytes: 64 * 4 }, [{ pointer: y }]);
    expect([...cuda.read(y, new Float32Array(64))]).toEqual(Array.from({ length: 64 }, (_, i) => 63 - i));
  });

  it('numbers threads and blocks in three dimensions', () => {
    const y = ints('indices', 12 * 24, [3, 2, 2], [2, 4, 3]);
    expect(y).toEqual(Array.from({ length: 12 * 24 }, (_, i) => 1000 * Math.floor(i / 24) + (i % 24)));
  });

  it('hands no shared memory on from block to block', () => {
    const y = cuda.alloc(3 * 4);
    cuda.launch(kernel('leftover'), { grid: [3], block: [32] }, [{ pointer: y }]);
    expect([...cuda.read(y, new Float32Array(3))]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it('shows a missing barrier', () => {
    const right = Array.from({ length: 64 }, (_, i) => 63 - i);
    expect(ints('neighbours', 64, [1], [64], { i32: 1 })).toEqual(right);
    expect(ints('neighbours', 64, [1], [64], { i32: 0 })).not.toEqual(right);
  });
});

describe('block_sum', () => {
  const KERNEL = `
#include "device.h"
KERNEL twice(const float* x, float* y) {
  const float sum = block_sum(x[threadIdx.x]);
  y[threadIdx.x] = block_sum(x[threadIdx.x] * sum);
}`;
  const run = async (edit: (header: string) => string) => {
    const sources = await readKernelSources('kernels');
    const header = sources.find(({ name }) => name === 'device.h')?.text ?? '';
    const module = cuda.load(cuda.compile(KERNEL, [INFINITY_OPTION], { 'device.h': edit(header) }));
    const x = cuda.put(new Float32Array(128).fill(1));
    const y = cuda.alloc(128 * 4);
    cuda.launch(cuda.kernel(module, 'twice'), { grid: [1], block: [128] }, [{ pointer: x }, { pointer: y }]);
    return cuda.read(y, new Float32Array(128));
  };
  const SUMS = new Float32Array(128).fill(128 * 128);

  it('is right', async () => {
    expect(await run((header) => header)).toEqual(SUMS);
  });

  it.each(['first', 'second'])('is wrong without its %s barrier', async (which) => {
    const barrier = '  __syncthreads();\n';
    const got = await run((header) => {
      const parts = header.split(barrier);
      expect(parts).toHaveLength(3);
      const [before = '', between = '', after = ''] = parts;
      return which === 'first' ? before + between + barrier + after : before + barrier + between + after;
    });
    expect(got).not.toEqual(SUMS);
  });
});

describe('a wrong kernel', () => {
  const line = SOURCE.split('\n').findIndex((text) => text.includes('case 0:')) + 1;
  it.each([
    ['a barrier that some threads leave out', 0, 719, `waits at __syncthreads (test.cu:${line})`],
    ['threads at different barriers', 1, 719, 'divergence: thread (0, 0, 0) waits at __syncthreads'],
    ['a shuffle that lanes leave out', 2, 719, 'with mask 0xffffffff, thread (16, 0, 0) has finished'],
    ['a shuffle beside a barrier', 3, 719, 'thread (16, 0, 0) waits at __syncthreads'],
    ['reading a lane outside the mask', 4, 719, 'takes no part in the shuffle'],
    ['a mask without the caller', 5, 719, 'not in its own mask'],
    ['writing past dynamic shared memory', 6, 719, 'wrote 0 bytes past the end of 256 bytes of dynamic shared memory'],
    ['writing a little past an allocation', 7, 700, 'past the end of the allocation'],
    ['writing far past an allocation', 8, 700, 'block (0, 0, 0), thread (0, 0, 0): illegal address 0x'],
    ['a null pointer', 9, 700, 'illegal address'],
    ['a trap', 10, 719, '__trap()'],
  ])('is reported for %s', (_, how, status, reason) => {
    const y = cuda.put(new Int32Array(60));
    const shape = { grid: [2] as const, block: [64] as const, sharedBytes: 256 };
    const stream = cuda.out('cuStreamCreate', ['uint32'], 1);
    // The launch itself succeeds: it is queued.
    cuda.launch(kernel('wrong'), shape, [{ pointer: y }, { i32: how }], stream);
    expect(cuda.status('cuStreamSynchronize', ['uint64'], stream)).toBe(status);
    expect(cuda.control.lastFailure()).toContain(reason);
    // As on a GPU, nothing works any more until the context is reset.
    expect(cuda.status('cuCtxSynchronize', [])).toBe(status);
    cuda.reset();
    load();
  });
});
