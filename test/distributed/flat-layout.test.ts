import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlatLayout } from '../../src/distributed/flat-layout.js';

describe('FlatLayout', () => {
  it('cuts slices across parameters', () => {
    const layout = new FlatLayout(
      [
        { name: 'a', size: 5 },
        { name: 'b', size: 2 },
      ],
      3,
    );
    expect(layout).toMatchObject({ offsets: [0, 5], totalSize: 7, sliceSize: 3, paddedSize: 9 });
    expect([0, 1, 2].map((rank) => layout.piecesOf(rank))).toEqual([
      [{ parameter: 0, begin: 0, end: 3, offset: 0 }],
      [
        { parameter: 0, begin: 3, end: 5, offset: 0 },
        { parameter: 1, begin: 0, end: 1, offset: 2 },
      ],
      [{ parameter: 1, begin: 1, end: 2, offset: 0 }],
    ]);
  });

  it('gives every value of every parameter to one rank, in its place', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 7 }), (all, numRanks) => {
        const parameters = all.map((size, i) => ({ name: `p${i}`, size }));
        const layout = new FlatLayout(parameters, numRanks);
        const flat: string[] = [];
        for (let rank = 0; rank < numRanks; rank++) {
          const slice = new Array<string>(layout.sliceSize).fill('padding');
          for (const { parameter, begin, end, offset } of layout.piecesOf(rank)) {
            for (let i = begin; i < end; i++) slice[offset + i - begin] = `p${parameter}[${i}]`;
          }
          flat.push(...slice);
        }
        const expected = parameters.flatMap(({ name, size }) =>
          Array.from({ length: size }, (_, i) => `${name}[${i}]`),
        );
        expect(flat.slice(0, expected.length)).toEqual(expected);
        expect(flat.slice(expected.length).every((value) => value === 'padding')).toBe(true);
      }),
    );
  });
});
