/** The card's copy bandwidth by the driver's own copy: the ceiling of everything that is bound by memory. */
import type { CudaDevice } from '../../src/backend/cuda/cuda-device.js';
import { isLoaded, loadLibrary } from '../../src/backend/cuda/load-libraries.js';
import { DeviceMemory } from '../../src/backend/self-test/device-memory.js';
import type { GpuSample } from './timing.js';

/** Several times the largest L2. */
export const COPY_BYTES = 2 ** 30;

export interface DriverCopy {
  readonly sample: GpuSample;
  /** Read and written by one copy. */
  readonly bytes: number;
  dispose(): void;
}

/** Copies within the device, on the legacy stream, timed from call to end. */
export function driverCopy(gpu: CudaDevice, bytes: number): DriverCopy {
  const library = loadLibrary('cuda');
  if (!isLoaded(library)) throw new Error(library.reason);
  const copy = library.handle.func('cuMemcpyDtoDAsync_v2', 'int', ['uint64', 'uint64', 'uint64', 'uint64']);
  const wait = library.handle.func('cuCtxSynchronize', 'int', []);
  const memory = new DeviceMemory(gpu);
  const [from, to] = [memory.alloc(bytes), memory.alloc(bytes)];
  gpu.launch('fill', from, bytes / 4, 1);
  gpu.synchronize();
  return {
    bytes: 2 * bytes,
    sample: (repeats) => {
      wait();
      const started = performance.now();
      for (let i = 0; i < repeats; i++) {
        const status = Number(copy(to, from, bytes, 0));
        if (status !== 0) throw new Error(`cuMemcpyDtoDAsync returned ${status}`);
      }
      wait();
      return (performance.now() - started) / repeats;
    },
    dispose: () => memory.dispose(),
  };
}

/** GB/s, read plus written. */
export async function copyBandwidth(gpu: CudaDevice, quick: boolean): Promise<number> {
  const { interleavedOnGpu } = await import('./timing.js');
  const copy = driverCopy(gpu, quick ? 2 ** 16 : COPY_BYTES);
  try {
    const [ms = Number.NaN] = await interleavedOnGpu([copy.sample], quick);
    return copy.bytes / ms / 1e6;
  } finally {
    copy.dispose();
  }
}
