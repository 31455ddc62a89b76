import type { Device } from '../../src/backend/device.js';

const WORD = 4;
const FENCE = new Int32Array(16).fill(0x5afe5afe);

/** Puts words of a known pattern around every buffer of the device, and throws at `free` when they were written to. */
export function fenceBuffers(device: Device): void {
  const alloc = device.alloc.bind(device);
  const free = device.free.bind(device);
  const found = new Int32Array(FENCE.length);
  const inner = (bytes: number) => FENCE.byteLength + Math.ceil(bytes / WORD) * WORD;
  const outer = (bytes: number) => inner(bytes) + FENCE.byteLength;

  device.alloc = (bytes) => {
    if (bytes === 0) return alloc(0);
    const start = alloc(outer(bytes));
    device.write(start, FENCE);
    device.write(start + inner(bytes), FENCE);
    return start + FENCE.byteLength;
  };
  device.free = (address, bytes) => {
    if (address === 0) return;
    const start = address - FENCE.byteLength;
    for (const [side, fence] of Object.entries({ before: start, after: start + inner(bytes) })) {
      device.read(fence, found);
      if (found.some((word, i) => word !== FENCE[i])) {
        throw new Error(`a kernel wrote ${side} a buffer of ${bytes} bytes`);
      }
    }
    free(start, outer(bytes));
  };
}
