import { describe, expect, it } from 'vitest';
import { CudaDevice } from '../../../src/backend/cuda/cuda-device.js';
import type { Device } from '../../../src/backend/device.js';
import {
  fetched,
  normal,
  openCuda,
  openHost,
  put,
  putFloats,
  readFloats,
  stub,
  stubFolder,
  worstError,
} from './devices.js';

/** A kernel on [rows, cols] normal numbers: its inputs' labels and the rest of its parameters. */
interface KernelCase {
  readonly kernel: string;
  readonly inputs: readonly string[];
  readonly rest: (rows: number, cols: number) => number[];
}

const elements = (rows: number, cols: number) => [rows * cols];
const CASES: readonly KernelCase[] = [
  { kernel: 'gelu', inputs: ['x'], rest: elements },
  { kernel: 'gelu_grad', inputs: ['dy', 'x'], rest: elements },
  { kernel: 'swiglu', inputs: ['gate', 'up'], rest: elements },
  { kernel: 'softmax', inputs: ['x'], rest: (rows, cols) => [rows, cols] },
  { kernel: 'log_softmax', inputs: ['x'], rest: (rows, cols) => [rows, cols] },
];

function run(device: Device, { kernel, inputs, rest }: KernelCase, rows: number, cols: number): Float32Array {
  const size = rows * cols;
  const addresses = inputs.map((label) => putFloats(device, normal(label, size), 'f32'));
  const y = device.alloc(size * 4);
  device.launch(kernel, ...addresses, y, ...rest(rows, cols));
  return readFloats(device, y, size, 'f32');
}

// Opened here: the first time the host's kernels are compiled, which takes longer than a test may.
const host = await openHost();

describe('CudaDevice', () => {
  it('computes what the host computes', async () => {
    const cuda = await openCuda();
    for (const one of CASES) {
      for (const [rows, cols] of [
        [1, 1],
        [3, 33],
        [70, 500],
        [2, 9000],
      ] as const) {
        const error = worstError(run(cuda, one, rows, cols), run(host, one, rows, cols));
        // Other exp and erf (2.5 ulp), sums in another order: measured 1.9e-7.
        expect(error, `${one.kernel} on [${rows}, ${cols}]`).toBeLessThanOrEqual(1e-6);
      }
    }
    cuda.dispose();
  });

  it('has launched nothing when it returns from a launch, and everything when it returns from a wait', async () => {
    const device = await openCuda();
    const x = put(device, normal('x', 100));
    device.launch('gelu', x, x, 100);
    expect(stub.pendingWork()).toBeGreaterThan(0);
    device.synchronize();
    expect(stub.pendingWork()).toBe(0);
    device.dispose();
  });

  it('times on the GPU', async () => {
    const device = await openCuda();
    const x = put(device, normal('x', 100));
    const ms = device.time(() => device.launch('gelu', x, x, 100));
    expect(ms).toBeGreaterThanOrEqual(0);
    expect(ms).toBeLessThan(60_000);
    device.dispose();
  });

  it('counts launches and bytes', async () => {
    const device = await openCuda();
    const x = put(device, new Float32Array(64));
    device.launch('gelu', x, x, 64);
    device.free(x, 256);
    expect(device.stats()).toMatchObject({ launches: 1, liveBytes: 0, peakBytes: 256, cachedBytes: 256 });
    device.dispose();
  });

  it('passes every kind of parameter: large integers, negative ones, floats', async () => {
    const device = await openCuda();
    const y = device.alloc(8);
    device.launch('one_hot', put(device, Int32Array.of(1)), y, 1, 2, -7, 2 ** 31 - 1);
    expect([...fetched(device, y, new Int32Array(2))]).toEqual([2 ** 31 - 1, -7]);
    device.dispose();
  });

  it('refuses kernels that do not exist, and the wrong number of parameters', async () => {
    const device = await openCuda();
    expect(() => device.launch('gelo', 1)).toThrow('cuda: no kernel named gelo; did you mean gelu?');
    expect(() => device.launch('gelu', 1, 2)).toThrow('cuda: gelu got 2 parameters, expected 3: x, y, n');
    device.dispose();
  });

  it('works beside another one: each makes its own context current', async () => {
    const [first, second] = [await openCuda(), await openCuda()];
    const x = put(first, Float32Array.of(1));
    second.dispose();
    expect([...fetched(first, x, new Float32Array(1))]).toEqual([1]);
    first.dispose();
  });

  it('returns everything when it is disposed of, also what tensors still hold', async () => {
    const device = await openCuda();
    put(device, normal('x', 5000));
    const recording = device.record(() => put(device, Float32Array.of(1)));
    recording.replay();
    device.dispose();
    device.dispose();
    expect(stub.allocationCount()).toBe(0);
    expect(stub.usedBytes()).toBe(0);
  });

  it('tells its name, libraries and where they lie', async () => {
    const device = await openCuda();
    expect(device.name).toMatch(/^cuda:0 Stub RTX A6000 \(sm_86, \d+ GiB, driver for CUDA 12.4, NVRTC 12.4, cuBLASLt/);
    expect(device.libraries.map(({ name }) => name)).toEqual(['libcuda', 'NVRTC', 'cuBLASLt']);
    expect(device.libraries.every(({ path }) => path.startsWith(stubFolder))).toBe(true);
    device.dispose();
  });

  it('says which GPU is not there, and leaves no context behind', async () => {
    await expect(CudaDevice.create({ index: 5, libraryFolders: [stubFolder] })).rejects.toThrow(
      'device cuda:5: the driver sees 1 GPUs, counted from 0',
    );
  });
});
