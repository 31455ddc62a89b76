/** Memory that MPI may use while JavaScript goes on: a typed array can be moved or freed under a pending request. */
import { view } from 'koffi';
import { OutValue } from '../../backend/cuda/prototype.js';
import type { DeviceFloats, HostValues, Shared } from '../communicator.js';
import type { MpiLibrary } from './library.js';

/** One buffer that grows and is used again. */
export class Staging {
  private address = 0;
  private capacity = 0;

  constructor(private readonly library: MpiLibrary) {}

  /** At least `bytes`; what it held is lost. */
  reserve(bytes: number): number {
    if (bytes > this.capacity) {
      this.dispose();
      const out = new OutValue();
      const { calls, handles } = this.library;
      if (calls.MPI_Alloc_mem(bytes, handles.infoNull, out.bytes) !== 0)
        throw new RangeError(`no ${bytes} bytes for MPI`);
      this.address = out.uint64;
      this.capacity = bytes;
    }
    return this.address;
  }

  dispose(): void {
    if (this.capacity > 0) this.library.calls.MPI_Free_mem(this.address);
    this.capacity = 0;
  }
}

export function isDevice(values: Shared): values is DeviceFloats {
  return 'address' in values;
}

/** A view of more than 4 GiB would end the process. */
const PIECE_BYTES = 2 ** 30;

function inPieces(bytes: number, copy: (offset: number, length: number) => void): void {
  for (let offset = 0; offset < bytes; offset += PIECE_BYTES) copy(offset, Math.min(PIECE_BYTES, bytes - offset));
}

const bytesOf = (array: HostValues) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

export function copyIn(address: number, array: HostValues): void {
  const from = bytesOf(array);
  inPieces(from.length, (offset, length) => {
    new Uint8Array(view(address + offset, length)).set(from.subarray(offset, offset + length));
  });
}

export function copyOut(array: HostValues, address: number): void {
  const into = bytesOf(array);
  inPieces(into.length, (offset, length) => into.set(new Uint8Array(view(address + offset, length)), offset));
}

export function copyWithin(to: number, from: number, bytes: number): void {
  inPieces(bytes, (offset, length) => {
    new Uint8Array(view(to + offset, length)).set(new Uint8Array(view(from + offset, length)));
  });
}
