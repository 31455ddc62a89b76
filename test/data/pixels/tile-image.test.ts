import { describe, expect, it } from 'vitest';
import { resizePillow } from '../../../src/data/pixels/resize-pillow.js';
import { tileGrid } from '../../../src/data/pixels/tile-grid.js';
import { tileImage } from '../../../src/data/pixels/tile-image.js';
import { picture, sha256 } from './picture.js';
import goldens from './processors.json' with { type: 'json' };

/** The sizes of `grid_sizes` in tools/pixels/goldens.py. */
function gridSizes(count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => {
    const hash = Math.imul(i, 2654435761) >>> 0;
    const [width, height] = [1 + (hash >>> 20), 1 + ((hash >>> 8) & 0xfff)];
    return i % 4 === 0 ? [16 * (1 + (width % 120)), 16 * (1 + (height % 120))] : [width, height];
  });
}

describe('tileGrid', () => {
  it.each(goldens.grids.groups)("is InternVL's for 5000 sizes, $minTiles to $maxTiles tiles", (group) => {
    const found = gridSizes(goldens.grids.sizes).map(([width, height]) => {
      const { columns, rows } = tileGrid(width, height, { size: 448, ...group });
      return `${columns}x${rows}`;
    });
    expect(found.slice(0, group.first.length)).toEqual(group.first);
    expect(sha256(found.join(' '))).toBe(group.sha256);
  });

  it('gives a square more tiles only as its pixels grow', () => {
    for (const [side, expected] of Object.entries(goldens.grids.squares)) {
      const { columns, rows } = tileGrid(Number(side), Number(side), { size: 448, maxTiles: 12 });
      expect(`${columns}x${rows}`, side).toBe(expected);
    }
  });

  it('refuses limits that leave no grid', () => {
    expect(() => tileGrid(4, 4, { size: 448, minTiles: 7, maxTiles: 6 })).toThrow('minTiles 7 exceeds maxTiles 6');
    expect(() => tileGrid(4, 4, { size: 448, maxTiles: 0 })).toThrow('maxTiles must be a positive integer');
  });
});

describe('tileImage', () => {
  const { size, maxTiles, cases } = goldens.tiles;

  it.each(cases)(
    "cuts $width x $height as transformers' processor does",
    ({ width, height, count, sha256: expected }) => {
      const tiles = tileImage(picture(width, height), { size, maxTiles, thumbnail: true });
      expect(tiles.count).toBe(count);
      expect(sha256(tiles.data)).toBe(expected);
    },
  );

  it('leaves the thumbnail out when asked, and for a single tile', () => {
    const wide = picture(300, 200);
    const [with_, without] = [true, false].map((thumbnail) => tileImage(wide, { size, maxTiles, thumbnail }));
    expect(without?.count).toBe((with_?.count ?? 0) - 1);
    expect(with_?.data.subarray(0, without?.data.length)).toEqual(without?.data);
    const single = tileImage(wide, { size, maxTiles: 1, thumbnail: true });
    expect(single.count).toBe(1);
    expect(single.data).toEqual(resizePillow(wide, size, size, 'bicubic').data);
  });
});
