/** The stub driver: it does what CUDA documents, and refuses what a GPU would refuse or should not be asked. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StubDriver } from '../support/cuda/stub-driver.js';

const SOURCE = `
#include "add.h"
extern "C" __global__ void add_to(float* y, long long n, float value) {
  for (long long i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = ADD(y[i], value);
}
extern "C" __global__ void __launch_bounds__(2 * 64) bounded(float* y) { y[0] = 1; }
extern "C" __global__ void large(float* y) { extern __shared__ float s[]; s[threadIdx.x] = 1; y[0] = s[0]; }
`;
const HEADERS = { 'add.h': '#define ADD(a, b) ((a) + (b))\n' };

/** CUresult values, from the CUDA documentation. */
const INVALID_VALUE = 1;
const OUT_OF_MEMORY = 2;
const INVALID_CONTEXT = 201;
const NO_BINARY_FOR_GPU = 209;
const INVALID_HANDLE = 400;
const NOT_FOUND = 500;
const NOT_READY = 600;
const ILLEGAL_ADDRESS = 700;
const CAPTURE_UNSUPPORTED = 900;
const CAPTURE_INVALIDATED = 901;

const LAUNCH = ['uint64', ...Array<string>(7).fill('uint32'), 'uint64', 'void *', 'void *'];
const NON_BLOCKING = 1;
const THREAD_LOCAL = 1;

/** Not in a hook: the first build may take longer than hooks have. */
const cuda = await StubDriver.open();
let context: number;
let image: Buffer;
let module: number;
let addTo: number;

function load(): void {
  module = cuda.load(image);
  addTo = cuda.kernel(module, 'add_to');
}
beforeAll(() => {
  expect(cuda.status('cuDeviceGetCount', ['void *'], Buffer.alloc(4))).toBe(3);
  context = cuda.start();
  image = cuda.compile(SOURCE, [], HEADERS);
  load();
});
afterEach(() => {
  cuda.call('cuCtxSetCurrent', ['uint64'], context);
  cuda.reset();
  load();
});

const stream = () => cuda.out('cuStreamCreate', ['uint32'], NON_BLOCKING);
const add = (at: number, n: number, value: number, on = 0) =>
  cuda.launch(addTo, { grid: [2], block: [64] }, [{ pointer: at }, { i64: n }, { f32: value }], on);
const floats = (at: number, count: number) => [...cuda.read(at, new Float32Array(count))];
const reason = () => cuda.control.lastFailure();

describe('memory', () => {
  it('holds what is written, and NaN before that', () => {
    const at = cuda.alloc(4 * 4);
    expect(at % 256).toBe(0);
    expect(floats(at, 4)).toEqual(Array(4).fill(Number.NaN));
    cuda.write(at + 4, new Float32Array([1, 2]));
    expect(floats(at, 4)).toEqual([Number.NaN, 1, 2, Number.NaN]);
  });

  it('refuses a second free, a foreign address and a copy past the end', () => {
    const at = cuda.alloc(100);
    expect(cuda.status('cuMemFree_v2', ['uint64'], at + 4)).toBe(INVALID_VALUE);
    const copy = ['uint64', 'void *', 'uint64'];
    expect(cuda.status('cuMemcpyHtoD_v2', copy, at, new Uint8Array(101), 101)).toBe(ILLEGAL_ADDRESS);
    expect(reason()).toContain('passes the end of an allocation of 100 bytes');
    cuda.free(at);
    expect(cuda.status('cuMemFree_v2', ['uint64'], at)).toBe(INVALID_VALUE);
    expect(cuda.status('cuMemcpyHtoD_v2', copy, at, new Uint8Array(4), 4)).toBe(ILLEGAL_ADDRESS);
    expect(reason()).toContain('freed before');
  });

  it('ends at the limit', () => {
    cuda.control.configure('MIMIC_STUB_MEMORY_BYTES', '4096');
    const at = cuda.alloc(3000);
    const place = Buffer.alloc(8);
    expect(cuda.status('cuMemAlloc_v2', ['void *', 'uint64'], place, 2000)).toBe(OUT_OF_MEMORY);
    expect(cuda.control.usedBytes()).toBe(3072);
    cuda.free(at);
    cuda.free(cuda.alloc(2000));
    cuda.control.configure('MIMIC_STUB_MEMORY_BYTES', '');
  });

  it('needs a current context', () => {
    cuda.call('cuCtxSetCurrent', ['uint64'], 0);
    const at = Buffer.alloc(8);
    expect(cuda.status('cuMemAlloc_v2', ['void *', 'uint64'], at, 64)).toBe(INVALID_CONTEXT);
    expect(cuda.status('cuLaunchKernel', LAUNCH, addTo, 1, 1, 1, 32, 1, 1, 0, 0, null, null)).toBe(INVALID_CONTEXT);
  });
});

describe('launches', () => {
  it('are logged with their shapes', () => {
    cuda.control.takeLaunches();
    const at = cuda.put(new Float32Array([1, 2, 3]));
    add(at, 3, 0.5);
    expect(floats(at, 3)).toEqual([1.5, 2.5, 3.5]);
    expect(cuda.control.takeLaunches()).toEqual([
      { kernel: 'add_to', grid: [2, 1, 1], block: [64, 1, 1], sharedBytes: 0 },
    ]);
  });

  it('refuse wrong shapes', () => {
    const y = { pointer: cuda.alloc(4) };
    const bounded = cuda.kernel(module, 'bounded');
    const large = cuda.kernel(module, 'large');
    const status = (kernel: number, grid: number, block: number, sharedBytes = 0) => {
      try {
        cuda.launch(kernel, { grid: [grid], block: [block], sharedBytes }, [y]);
        return 0;
      } catch (error) {
        return error instanceof Error && 'status' in error ? error.status : error;
      }
    };
    expect(status(bounded, 0, 32)).toBe(INVALID_VALUE);
    expect(status(bounded, 1, 2048)).toBe(INVALID_VALUE);
    expect(status(bounded, 1, 128)).toBe(0);
    expect(status(bounded, 1, 129)).toBe(INVALID_VALUE);
    expect(reason()).toContain('__launch_bounds__(128)');
    expect(status(large, 1, 32, 49152)).toBe(0);
    expect(status(large, 1, 32, 49153)).toBe(INVALID_VALUE);
    const attribute = ['uint64', 'int32', 'int32'];
    // sm_86 has 99 KiB a block.
    expect(cuda.status('cuFuncSetAttribute', attribute, large, 8, 101377)).toBe(INVALID_VALUE);
    cuda.call('cuFuncSetAttribute', attribute, large, 8, 101376);
    expect(status(large, 1, 32, 101376)).toBe(0);
  });

  it('refuse parameters that are not device memory', () => {
    const at = cuda.alloc(64);
    cuda.free(at);
    expect(() => add(at, 16, 1)).toThrow(/parameter 0 .* is not allocated/);
    expect(() => add(4096, 16, 1)).toThrow(/not an address of the device/);
  });

  it('refuse functions of an unloaded module and unknown names', () => {
    const at = cuda.alloc(64);
    expect(
      cuda.status('cuModuleGetFunction', ['void *', 'uint64', 'const char *'], Buffer.alloc(8), module, 'sub'),
    ).toBe(NOT_FOUND);
    cuda.call('cuModuleUnload', ['uint64'], module);
    expect(() => add(at, 16, 1)).toThrow(`= ${INVALID_HANDLE}`);
  });

  it('refuse machine code of a newer chip', () => {
    const newer = cuda.compile(SOURCE, ['--gpu-architecture=sm_90'], HEADERS);
    expect(cuda.status('cuModuleLoadData', ['void *', 'void *'], Buffer.alloc(8), newer)).toBe(NO_BINARY_FOR_GPU);
  });
});

describe('compilation', () => {
  it('reports errors by file and line', () => {
    expect(() => cuda.compile('\nextern "C" __global__ void f(float* y) { y[0] = nothing; }\n')).toThrow(
      /= 6: (.|\n)*test\.cu:2:.*nothing/,
    );
  });

  it('has no headers and no options beyond those of NVRTC', () => {
    expect(() => cuda.compile('#include <cmath>\n')).toThrow(/cmath/);
    expect(() => cuda.compile('', ['--fast'])).toThrow('unrecognized option --fast');
  });
});

describe('streams', () => {
  it('work when someone waits, in order', () => {
    const on = stream();
    const at = cuda.put(new Float32Array([1]));
    add(at, 1, 1, on);
    add(at, 1, 10, on);
    expect(cuda.control.pendingWork()).toBe(2);
    // The null stream does not wait for a non-blocking one.
    expect(floats(at, 1)).toEqual([1]);
    cuda.call('cuStreamSynchronize', ['uint64'], on);
    expect(floats(at, 1)).toEqual([12]);
  });

  it('touch pinned memory late and pageable memory at once', () => {
    const on = stream();
    const at = cuda.put(new Float32Array([1]));
    const pinned = cuda.out('cuMemHostAlloc', ['uint64', 'uint32'], 4, 0);
    const copyOut = ['uint64', 'uint64', 'uint64', 'uint64'];
    cuda.call('cuMemcpyDtoHAsync_v2', copyOut, pinned, at, 4, on);
    expect(cuda.control.pendingWork()).toBe(1);
    const into = new Float32Array(1);
    cuda.call('cuMemcpyDtoHAsync_v2', ['void *', 'uint64', 'uint64', 'uint64'], into, at, 4, on);
    expect([cuda.control.pendingWork(), into[0]]).toEqual([0, 1]);
  });

  it('wait for events of other streams', () => {
    const [first, second] = [stream(), stream()];
    const at = cuda.put(new Float32Array([1]));
    const event = cuda.out('cuEventCreate', ['uint32'], 0);
    const after = cuda.out('cuEventCreate', ['uint32'], 0);
    add(at, 1, 1, first);
    cuda.call('cuEventRecord', ['uint64', 'uint64'], event, first);
    add(at, 1, 1, first);
    cuda.call('cuStreamWaitEvent', ['uint64', 'uint64', 'uint32'], second, event, 0);
    add(at, 1, 10, second);
    cuda.call('cuEventRecord', ['uint64', 'uint64'], after, second);
    const elapsed = ['void *', 'uint64', 'uint64'];
    expect(cuda.status('cuEventElapsedTime', elapsed, Buffer.alloc(4), event, after)).toBe(NOT_READY);
    cuda.call('cuStreamSynchronize', ['uint64'], second);
    expect(floats(at, 1)).toEqual([12]);
    cuda.synchronize();
    expect(floats(at, 1)).toEqual([13]);
    const milliseconds = Buffer.alloc(4);
    cuda.call('cuEventElapsedTime', elapsed, milliseconds, event, after);
    expect(milliseconds.readFloatLE()).toBeGreaterThan(0);
  });
});

describe('graphs', () => {
  const begin = (on: number) => cuda.call('cuStreamBeginCapture_v2', ['uint64', 'int32'], on, THREAD_LOCAL);
  const end = (on: number) => {
    const graph = Buffer.alloc(8);
    cuda.call('cuStreamEndCapture', ['uint64', 'void *'], on, graph);
    return Number(graph.readBigUInt64LE());
  };
  const instantiate = (graph: number) => cuda.out('cuGraphInstantiateWithFlags', ['uint64', 'uint64'], graph, 0);

  it('record without running and run as often as asked', () => {
    const on = stream();
    const at = cuda.put(new Float32Array([1]));
    begin(on);
    add(at, 1, 1, on);
    add(at, 1, 10, on);
    const graph = end(on);
    const run = instantiate(graph);
    cuda.call('cuGraphDestroy', ['uint64'], graph);
    cuda.synchronize();
    expect(floats(at, 1)).toEqual([1]);
    for (let i = 0; i < 3; i++) cuda.call('cuGraphLaunch', ['uint64', 'uint64'], run, on);
    cuda.synchronize();
    expect(floats(at, 1)).toEqual([34]);
    cuda.free(at);
    cuda.call('cuGraphLaunch', ['uint64', 'uint64'], run, on);
    expect(cuda.status('cuStreamSynchronize', ['uint64'], on)).toBe(ILLEGAL_ADDRESS);
    expect(reason()).toContain('add_to, parameter 0');
  });

  it('are spoilt by calls that a capture forbids', () => {
    const on = stream();
    for (const forbidden of [
      () => cuda.status('cuStreamSynchronize', ['uint64'], on),
      () => cuda.status('cuMemAlloc_v2', ['void *', 'uint64'], Buffer.alloc(8), 64),
      () => cuda.status('cuCtxSynchronize', []),
    ]) {
      begin(on);
      expect(forbidden()).toBe(CAPTURE_UNSUPPORTED);
      expect(cuda.status('cuStreamEndCapture', ['uint64', 'void *'], on, Buffer.alloc(8))).toBe(CAPTURE_INVALIDATED);
    }
  });

  it('refuse to capture pageable memory', () => {
    const on = stream();
    const at = cuda.alloc(4);
    begin(on);
    const copy = ['uint64', 'void *', 'uint64', 'uint64'];
    expect(cuda.status('cuMemcpyHtoDAsync_v2', copy, at, new Float32Array(1), 4, on)).toBe(INVALID_VALUE);
    expect(end(on)).not.toBe(0);
  });
});
