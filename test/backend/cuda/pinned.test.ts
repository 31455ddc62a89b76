import { afterAll, describe, expect, it } from 'vitest';
import { fetched, openCuda, put } from './devices.js';

const device = await openCuda();
afterAll(() => device.dispose());

/** Larger than the ring of four 4 MiB slots, and no multiple of a slot. */
const LARGE = 4.5 * 2 ** 20 + 3;

function pattern(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => (i * 2654435761) | 0);
}

describe('copies through pinned memory', () => {
  it('bring large arrays there and back in chunks', () => {
    const values = pattern(LARGE);
    const address = put(device, values);
    expect(Buffer.compare(Buffer.from(fetched(device, address, values).buffer), Buffer.from(values.buffer))).toBe(0);
    device.free(address, values.byteLength);
  });

  it('keep many small writes apart while the GPU has not copied them yet', () => {
    const arrays = Array.from({ length: 300 }, (_, i) => pattern(i % 7 === 0 ? 40_000 : 1 + i));
    const addresses = arrays.map((values) => put(device, values));
    for (const [i, values] of arrays.entries()) {
      expect(fetched(device, addresses[i] ?? 0, values).every((value, at) => value === values[at])).toBe(true);
    }
    for (const [i, values] of arrays.entries()) device.free(addresses[i] ?? 0, values.byteLength);
  });

  it('take the values at the time of the call', () => {
    const values = Float32Array.of(1, 2, 3);
    const address = put(device, values);
    values.fill(9);
    expect([...fetched(device, address, values)]).toEqual([1, 2, 3]);
    device.free(address, values.byteLength);
  });

  it('respect views: the offset into a buffer, two-byte and one-byte elements', () => {
    const whole = Float32Array.of(0, 1, 2, 3);
    const address = put(device, whole.subarray(1, 3));
    const target = new Float32Array(4);
    device.read(address, target.subarray(2));
    expect([...target]).toEqual([0, 0, 1, 2]);
    const halves = put(device, Uint16Array.of(1, 2, 65535));
    expect([...fetched(device, halves, new Uint16Array(3))]).toEqual([1, 2, 65535]);
    const bytes = put(device, Uint8Array.of(7, 255));
    expect([...fetched(device, bytes, new Uint8Array(2))]).toEqual([7, 255]);
  });

  it('do nothing for empty arrays', () => {
    device.write(0, new Float32Array(0));
    device.read(0, new Float32Array(0));
  });

  it('come after the work queued before them', () => {
    const [x, y] = [put(device, Float32Array.of(1, 4, 9)), device.alloc(12)];
    device.launch('square_root', x, y, 3);
    expect([...fetched(device, y, new Float32Array(3))]).toEqual([1, 2, 3]);
  });
});
