import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundHalfEven } from '../../../src/base/half-even.js';
import { frameIndices } from '../../../src/data/video/frame-indices.js';

describe('frameIndices', () => {
  // Computed with Python's round on InternVL's get_index.
  it.each([
    [300, 8, [18, 55, 93, 130, 168, 205, 242, 280]],
    [300, 16, [9, 28, 46, 65, 84, 102, 121, 140, 159, 177, 196, 215, 233, 252, 271, 289]],
    [100, 8, [6, 18, 31, 43, 56, 68, 80, 93]],
    [5, 8, [0, 0, 1, 2, 2, 2, 3, 4]],
    [1, 8, [0, 0, 0, 0, 0, 0, 0, 0]],
  ])('takes the centres of %i frames in %i segments as the reference does', (frames, count, expected) => {
    expect([...frameIndices(frames, count)]).toEqual(expected);
  });

  it('stays in range and never goes back, for any clip', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 64 }), (frames, count) => {
        const indices = [...frameIndices(frames, count)];
        expect(indices.every((index, i) => index >= (indices[i - 1] ?? 0) && index < frames)).toBe(true);
      }),
    );
  });

  it('takes each frame once when it thins a longer list', () => {
    for (let frames = 2; frames < 200; frames++) {
      for (let count = 1; count < frames; count++) {
        expect(new Set(frameIndices(frames, count)).size, `${count} of ${frames}`).toBe(count);
      }
    }
  });

  it('refuses an empty clip', () => {
    expect(() => frameIndices(0, 8)).toThrow('frameIndices: frameCount must be a positive integer, got 0');
  });
});

describe('roundHalfEven', () => {
  it('sends ties to the even neighbour and all else to the nearest', () => {
    expect([0.5, 1.5, 2.5, 3.5, -0.5, -1.5, 2.4999, 2.5001, 7].map((value) => roundHalfEven(value) + 0)).toEqual([
      0, 2, 2, 4, 0, -2, 2, 3, 7,
    ]);
  });
});
