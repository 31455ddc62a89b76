import { describe, expect, it } from 'vitest';
import { ANY, channelsOf, checkIndices, checkLength, checkTensor } from '../../src/ops/shape-check.js';
import { expectShapeError } from '../support/expect-shape-error.js';

const info = (shape: number[], dtype: 'float32' | 'int32' = 'float32') => ({ dataId: {}, shape, dtype });

describe('checkTensor', () => {
  it('accepts the dtype and shape asked for, with any size where any is allowed', () => {
    expect(() => checkTensor('op', 'x', info([2, 0, 3]), [2, ANY, 3])).not.toThrow();
    expect(() => checkTensor('op', 'x', info([], 'int32'), [], 'int32')).not.toThrow();
  });

  it.each([
    [info([2, 3]), 'float32 [2, 3]'],
    [info([2]), 'float32 [2]'],
    [info([2, 4, 1]), 'float32 [2, 4, 1]'],
    [info([2, 4], 'int32'), 'int32 [2, 4]'],
  ])('refuses %j and says what was expected', (tensor, got) => {
    const message = `op: x is ${got}, expected float32 [*, 4] (* is any size)`;
    expectShapeError(() => checkTensor('op', 'x', tensor, [ANY, 4]), message);
  });

  it('hands programs the facts of the message', () => {
    const context = { op: 'op', got: 'float32 [1]', expected: 'float32 [2] (* is any size)' };
    expect(() => checkTensor('op', 'x', info([1]), [2])).toThrow(expect.objectContaining({ context }));
  });
});

describe('channelsOf', () => {
  it('is the last axis', () => {
    expect(channelsOf('op', 'x', info([2, 7]))).toBe(7);
  });

  it('refuses a scalar', () => {
    expectShapeError(() => channelsOf('op', 'x', info([])), 'op: x is float32 [], expected float32 [..., channels]');
  });
});

describe('checkLength and checkIndices', () => {
  it('refuse another count and an index out of range, naming its place', () => {
    expectShapeError(() => checkLength('op', 'ids', [1, 2], 3), 'op: the length of ids is 2, expected 3');
    expectShapeError(
      () => checkIndices('op', 'ids', Int32Array.of(-1, 4), 4, -1),
      'op: ids[1] is 4, expected -1 or an index from 0 to 3',
    );
  });

  it('accept the absent value and every index in range', () => {
    expect(() => checkIndices('op', 'ids', Int32Array.of(-100, 0, 3), 4, -100)).not.toThrow();
  });
});
