/** Numbers in a host device's memory, for tests that call it below TF.js. */
import type { FloatStorage } from '../../../src/backend/device.js';
import { STORAGE_BYTES } from '../../../src/backend/device.js';
import { HostDevice } from '../../../src/backend/host/host-device.js';
import { Rng } from '../../../src/base/rng.js';

export const device = await HostDevice.create({ threads: 2 });

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** The bits of the nearest bf16, ties to even. */
export function bf16Bits(value: number): number {
  FLOAT[0] = value;
  const bits = BITS[0] ?? 0;
  return Number.isNaN(value) ? (bits | 0x400000) >>> 16 : ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function bf16Value(bits: number): number {
  BITS[0] = bits << 16;
  return FLOAT[0] ?? 0;
}

export const rounded = (value: number, storage: FloatStorage): number =>
  storage === 'bf16' ? bf16Value(bf16Bits(value)) : Math.fround(value);

/** Uniform in [-1, 1), as the storage holds them. */
export function randomValues(label: string, size: number, storage: FloatStorage): Float64Array {
  const rng = new Rng(7, label);
  return Float64Array.from({ length: size }, () => rounded(2 * rng.uniform() - 1, storage));
}

/** Buffers that are given back together. */
export class Buffers {
  private readonly taken: { address: number; bytes: number }[] = [];

  /** Room for `size` numbers, with NaN in all of it. */
  empty(size: number, storage: FloatStorage): number {
    return this.of(new Float64Array(size).fill(Number.NaN), storage);
  }

  of(values: Float64Array, storage: FloatStorage): number {
    const address = this.raw(values.length * STORAGE_BYTES[storage]);
    this.place(address, values, storage);
    return address;
  }

  /** Writes values to memory that was taken before. */
  place(address: number, values: Float64Array, storage: FloatStorage): void {
    const words = storage === 'bf16' ? Uint16Array.from(values, bf16Bits) : Float32Array.from(values);
    if (values.length > 0) device.write(address, words);
  }

  ints(values: Int32Array): number {
    const address = this.raw(values.byteLength);
    if (values.length > 0) device.write(address, values);
    return address;
  }

  raw(bytes: number): number {
    const address = device.alloc(bytes);
    this.taken.push({ address, bytes });
    return address;
  }

  free(): void {
    for (const { address, bytes } of this.taken) device.free(address, bytes);
    this.taken.length = 0;
  }
}

export function readValues(address: number, size: number, storage: FloatStorage): Float64Array {
  const words = storage === 'bf16' ? new Uint16Array(size) : new Float32Array(size);
  if (size > 0) device.read(address, words);
  return Float64Array.from(words, (word) => (storage === 'bf16' ? bf16Value(word) : word));
}
