import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { broadcastStrides, collapse, denseStrides } from '../../../src/backend/register/layout.js';

/** The offsets that a kernel visits, in order, for one operand. */
function visited({ rows, cols, sizes, strides }: ReturnType<typeof collapse>, operand: number): number[] {
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0] = strides[operand] ?? [];
  const [n1, n2, n3, n4] = sizes;
  return Array.from({ length: rows * cols }, (_, i) => {
    let row = Math.floor(i / cols);
    let offset = (i % cols) * s5;
    for (const [size, stride] of [
      [n4, s4],
      [n3, s3],
      [n2, s2],
      [n1, s1],
    ] as const) {
      offset += (row % size) * stride;
      row = Math.floor(row / size);
    }
    return offset + row * s0;
  });
}

/** The same, straight from the definition of strides. */
function enumerated(shape: readonly number[], strides: readonly number[]): number[] {
  const size = shape.reduce((product, length) => product * length, 1);
  const dense = denseStrides(shape);
  return Array.from({ length: size }, (_, i) =>
    shape.reduce(
      (offset, length, axis) => offset + (Math.floor(i / (dense[axis] ?? 1)) % length) * (strides[axis] ?? 0),
      0,
    ),
  );
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 6 });

describe('collapse', () => {
  it('visits the same elements in the same order as the full shape, for any broadcast', () => {
    fc.assert(
      fc.property(shapes, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (shape, broadcast) => {
        const own = shape.map((length, axis) => (broadcast[axis] ? 1 : length));
        const strides = [denseStrides(shape), broadcastStrides(own, shape)];
        const layout = collapse(shape, strides);
        for (const [operand, list] of strides.entries())
          expect(visited(layout, operand)).toEqual(enumerated(shape, list));
      }),
    );
  });

  it('merges dense axes into one row', () => {
    expect(collapse([2, 3, 4], [denseStrides([2, 3, 4])])).toMatchObject({ rows: 1, cols: 24 });
  });

  it('keeps the row of a bias whole', () => {
    expect(collapse([5, 6, 7], [denseStrides([5, 6, 7]), broadcastStrides([7], [5, 6, 7])])).toMatchObject({
      rows: 30,
      cols: 7,
    });
  });

  it('visits nothing of an empty shape', () => {
    expect(collapse([3, 0, 2], [denseStrides([3, 0, 2])]).rows).toBe(0);
  });

  it('refuses more strided axes than a kernel has', () => {
    const shape = [2, 2, 2, 2, 2, 2, 2];
    expect(() => collapse(shape, [[1, 2, 4, 8, 16, 32, 64]])).toThrow(
      'native backend: shape [2,2,2,2,2,2,2] has more than 6 strided axes',
    );
  });
});
