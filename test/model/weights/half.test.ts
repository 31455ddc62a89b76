import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../../src/model/weights/half.js';

const allPatterns = Uint16Array.from({ length: 0x10000 }, (_, i) => i);

function widen(convert: (bits: Uint16Array, out: Float32Array) => void, bits: ArrayLike<number>): Float32Array {
  const out = new Float32Array(bits.length);
  convert(Uint16Array.from(bits), out);
  return out;
}

describe('16-bit floats', () => {
  it('survive widening and narrowing bit for bit, all 65,536 patterns but the NaN payloads', () => {
    for (const [widening, narrowing] of [
      [float16ToFloat32, float32ToFloat16],
      [bfloat16ToFloat32, float32ToBfloat16],
    ] as const) {
      const values = widen(widening, allPatterns);
      const back = narrowing(values);
      const wrong = [...allPatterns].filter((bits) => !Number.isNaN(values[bits]) && back[bits] !== bits);
      expect(wrong).toEqual([]);
      expect(
        [...allPatterns].every((i) => !Number.isNaN(values[i]) || Number.isNaN(widen(widening, [back[i] ?? 0])[0])),
      ).toBe(true);
    }
  });

  it('have the values IEEE 754 and bfloat16 define', () => {
    expect([...widen(float16ToFloat32, [0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0xfc00])]).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      2 ** -14,
      Number.NEGATIVE_INFINITY,
    ]);
    expect([...widen(bfloat16ToFloat32, [0x3f80, 0xc000, 0x4049, 0x7f80])]).toEqual([1, -2, 3.140625, Infinity]);
  });

  it('round halfway values to even and overflow to infinity', () => {
    const ulp = 2 ** -10;
    const float16 = Float32Array.of(
      1 + ulp / 2,
      1 + 1.5 * ulp,
      65519.996,
      65520,
      2 ** -25,
      1.5 * 2 ** -24,
      2 ** -14 * 0.9999,
    );
    expect([...float32ToFloat16(float16)]).toEqual([0x3c00, 0x3c02, 0x7bff, 0x7c00, 0, 2, 0x0400]);
    const step = 2 ** -7;
    const bfloat16 = Float32Array.of(1 + step / 2, 1 + 1.5 * step, -3.4e38, Number.NaN);
    expect([...float32ToBfloat16(bfloat16)]).toEqual([0x3f80, 0x3f82, 0xff80, 0x7fc0]);
  });
});
