/** Device memory for one comparison: all of it is freed together. */
import { type Device, type FloatStorage, STORAGE_BYTES, type Storage } from '../device.js';
import { roundToBf16 } from './bf16.js';
import { download, upload } from './device-array.js';

export class DeviceMemory {
  private readonly held: { readonly address: number; readonly bytes: number }[] = [];

  constructor(private readonly device: Device) {}

  alloc(bytes: number): number {
    const address = this.device.alloc(bytes);
    this.held.push({ address, bytes });
    return address;
  }

  /** Device memory with these values. */
  put(values: Float32Array | Int32Array, storage: Storage): number {
    const address = this.alloc(values.length * STORAGE_BYTES[storage]);
    upload(this.device, address, values, storage);
    return address;
  }

  get(address: number, length: number, storage: Storage): Float32Array | Int32Array {
    return download(this.device, address, length, storage);
  }

  dispose(): void {
    for (const { address, bytes } of this.held.splice(0)) this.device.free(address, bytes);
  }
}

/** What the device holds after `put`. */
export function asStored(values: Float32Array, storage: FloatStorage): Float32Array {
  return storage === 'bf16' ? roundToBf16(values) : values;
}
