/** Copies of JavaScript numbers to and from a device in any storage. */
import type { Device, Storage } from '../device.js';
import { bf16Bits, floatsOfBf16 } from './bf16.js';

type Values = Float32Array | Int32Array;

export function upload(device: Device, address: number, values: Values, storage: Storage): void {
  if (values.length === 0) return;
  device.write(address, storage === 'bf16' && values instanceof Float32Array ? bf16Bits(values) : values);
}

export function download(device: Device, address: number, length: number, storage: Storage): Values {
  const words =
    storage === 'bf16'
      ? new Uint16Array(length)
      : storage === 'i32'
        ? new Int32Array(length)
        : new Float32Array(length);
  if (length > 0) device.read(address, words);
  return words instanceof Uint16Array ? floatsOfBf16(words) : words;
}

/**
 * Largest |got - want| / max(1, |want|); equal infinities and two NaNs agree, one of them alone is infinitely wrong.
 */
export function errorOf(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < got.length; i++) {
    const [a, b] = [got[i] ?? Number.NaN, want[i] ?? Number.NaN];
    if (Object.is(a, b) || a === b) continue;
    const error = Math.abs(a - b) / Math.max(1, Math.abs(b));
    if (!(error <= largest)) largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return largest;
}
