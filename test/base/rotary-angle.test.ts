import { describe, expect, it } from 'vitest';
import { rotaryAngle, rotaryFrequency } from '../../src/base/rotary-angle.js';

describe('rotary angles', () => {
  it('are near to the formula and exact where float32 is', () => {
    expect(rotaryFrequency(1e6, 0, 32)).toBe(1);
    expect(rotaryAngle(32767, rotaryFrequency(1e6, 0, 32))).toBe(32767);
    for (const j of [1, 7, 31]) {
      const frequency = rotaryFrequency(1e6, j, 32);
      // Two roundings of at most 6e-8 each.
      expect(Math.abs(frequency / 1e6 ** (-j / 32) - 1)).toBeLessThan(1.3e-7);
      expect(Math.fround(frequency)).toBe(frequency);
    }
  });

  it('carry the rounding of float32 at long positions', () => {
    const frequency = rotaryFrequency(1e6, 1, 32);
    const exact = 30011 * 1e6 ** (-1 / 32);
    expect(rotaryAngle(30011, frequency)).not.toBe(exact);
    expect(Math.abs(rotaryAngle(30011, frequency) - exact)).toBeLessThan(2e-3);
  });
});
