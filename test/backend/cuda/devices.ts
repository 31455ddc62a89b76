/** The CUDA device over the stub libraries, and the host device to compare with. */
import { CudaDevice, type CudaDeviceOptions } from '../../../src/backend/cuda/cuda-device.js';
import type { Device, FloatStorage, HostArray } from '../../../src/backend/device.js';
import { HostDevice } from '../../../src/backend/host/host-device.js';
import { Rng } from '../../../src/base/rng.js';
import { buildStubCuda } from '../../support/cuda/build-stub.js';
import { StubControl } from '../../support/cuda/stub-driver.js';

export const { folder: stubFolder } = await buildStubCuda();
export const stub = await StubControl.open();

export function openCuda(options: CudaDeviceOptions = {}): Promise<CudaDevice> {
  return CudaDevice.create({ libraryFolders: [stubFolder], ...options });
}

export function openHost(): Promise<HostDevice> {
  return HostDevice.create({ threads: 1 });
}

const TYPES = [Float32Array, Int32Array, Uint16Array, Uint8Array] as const;

/** Device memory that holds the values. */
export function put(device: Device, values: HostArray): number {
  const address = device.alloc(values.byteLength);
  device.write(address, values);
  return address;
}

/** The values at an address, as many and of the type of `like`. */
export function fetched<T extends HostArray>(device: Device, address: number, like: T): T {
  const copy = like.slice();
  if (!TYPES.some((type) => copy instanceof type)) throw new TypeError('an array of another type');
  copy.fill(0);
  device.read(address, copy);
  return copy as T;
}

export function normal(label: string, length: number): Float32Array {
  const rng = new Rng(7, label);
  return Float32Array.from({ length }, () => rng.normal());
}

/** Rounded to bf16, as bits and as the floats that they mean. */
export function bf16(values: Float32Array): { bits: Uint16Array; floats: Float32Array } {
  const words = new Uint32Array(values.slice().buffer);
  const bits = Uint16Array.from(words, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
  return { bits, floats: floatsOf(bits) };
}

export function floatsOf(bits: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
}

/** Stored values as floats. */
export function readFloats(device: Device, address: number, length: number, storage: FloatStorage): Float32Array {
  if (storage === 'f32') return fetched(device, address, new Float32Array(length));
  return floatsOf(fetched(device, address, new Uint16Array(length)));
}

/** Device memory that holds floats in a storage. */
export function putFloats(device: Device, values: Float32Array, storage: FloatStorage): number {
  return put(device, storage === 'f32' ? values : bf16(values).bits);
}

/** Largest |got - want| / (1 + |want|); infinite where one is NaN and the other is not. */
export function worstError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i] ?? Number.NaN, want[i] ?? Number.NaN];
    if (Object.is(a, b) || a === b) continue;
    const error = Math.abs(a - b) / (1 + Math.abs(b));
    worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return worst;
}
