import { describe, expect, it } from 'vitest';
import { isVariableRate } from '../../../src/data/scan/scan-entry.js';

const times = (gaps: readonly number[]) => {
  let at = 0;
  return Float64Array.from([0, ...gaps.map((gap) => (at += gap))]);
};

describe('isVariableRate', () => {
  it.each([
    ['25 a second', Array<number>(30).fill(0.04), false],
    ['29.97 a second in milliseconds', Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? 0.034 : 0.033)), false],
    ['60 a second in milliseconds', Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? 0.016 : 0.017)), false],
    ['one frame dropped', [0.04, 0.04, 0.08, 0.04, 0.04], true],
    ['a screen recording', [0.01, 0.5, 0.02, 0.02, 1.2], true],
    ['10 then 30 a second', [...Array<number>(10).fill(0.1), ...Array<number>(10).fill(1 / 30)], true],
    ['two frames', [0.04], false],
    ['one frame', [], false],
  ])('%s', (_name, gaps, expected) => {
    expect(isVariableRate(times(gaps))).toBe(expected);
  });
});
