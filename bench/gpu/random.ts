/** Random numbers in device memory. Zeros would flatter: a tensor core that toggles no bits draws less power and clocks higher. */
import { type Device, type FloatStorage, STORAGE_BYTES } from '../../src/backend/device.js';
import { bf16Bits } from '../../src/backend/self-test/bf16.js';
import { DeviceMemory } from '../../src/backend/self-test/device-memory.js';
import { bf16Name } from '../../src/backend/signatures.js';
import { Rng } from '../../src/base/rng.js';

const BLOCK = 2 ** 20;

/** Normal deviates, made once and repeated: a block is far longer than any row. */
let block: Float32Array | undefined;
function normals(): Float32Array {
  const rng = new Rng(1, 'bench');
  block ??= Float32Array.from({ length: BLOCK }, () => rng.normal());
  return block;
}

/** Fills `length` elements with deviates of the given standard deviation, by copies within the device. */
export function fillRandom(
  device: Device,
  address: number,
  length: number,
  storage: FloatStorage,
  deviation = 1,
): void {
  const first = Math.min(length, BLOCK);
  const values = normals().subarray(0, first);
  const scaled = deviation === 1 ? values.slice() : values.map((value) => value * deviation);
  device.write(address, storage === 'bf16' ? bf16Bits(scaled) : scaled);
  const copy = storage === 'bf16' ? bf16Name('copy_strided') : 'copy_strided';
  for (let filled = first; filled < length; ) {
    const count = Math.min(filled, length - filled);
    const cols = Math.min(count, 4096);
    const rows = Math.floor(count / cols);
    const strides = [cols, 0, 0, 0, 0, 1];
    // Rows are walked by the first of the five outer axes.
    const to = address + filled * STORAGE_BYTES[storage];
    device.launch(copy, address, to, rows, cols, 1, 1, 1, 1, ...strides, ...strides);
    filled += rows * cols;
  }
}

/** Device memory for one measurement, filled with random numbers. */
export class RandomMemory extends DeviceMemory {
  constructor(private readonly gpu: Device) {
    super(gpu);
  }

  random(length: number, storage: FloatStorage, deviation = 1): number {
    const address = this.alloc(length * STORAGE_BYTES[storage]);
    fillRandom(this.gpu, address, length, storage, deviation);
    return address;
  }

  empty(length: number, storage: FloatStorage): number {
    return this.alloc(length * STORAGE_BYTES[storage]);
  }
}
