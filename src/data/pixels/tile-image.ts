import { type PillowVersion, resizePillow } from './resize-pillow.js';
import type { RgbImage } from './rgb-image.js';
import { numTiles, type TileLimits, tileGrid } from './tile-grid.js';

export interface TileOptions extends TileLimits {
  /** Adds the whole picture, squashed to one tile, after two tiles or more. */
  readonly thumbnail: boolean;
  /** Whose order of passes to follow; see `resizePillow`. */
  readonly pillow?: PillowVersion;
}

/**
 * A picture as square tiles: squashed to the canvas of its grid by Pillow's bicubic filter and cut, rows from the top, each
 * from the left.
 *
 * @returns tiles [count, size, size, 3], one after the other; count is at most maxTiles + 1
 * @source InternVL 1.5 (https://arxiv.org/abs/2404.16821), section 3.3
 */
export function tileImage(image: RgbImage, options: TileOptions): { data: Uint8Array; count: number } {
  const { size, pillow = 12 } = options;
  const { columns, rows } = tileGrid(image.width, image.height, options);
  const tiles = columns * rows;
  const count = numTiles(image.width, image.height, options);
  const tileBytes = size * size * 3;
  const data = new Uint8Array(count * tileBytes);
  const canvas = resizePillow(image, columns * size, rows * size, 'bicubic', { pillow });
  const lineBytes = size * 3;
  for (let y = 0; y < canvas.height; y++) {
    for (let column = 0; column < columns; column++) {
      const tile = Math.floor(y / size) * columns + column;
      const source = (y * columns + column) * lineBytes;
      data.set(canvas.data.subarray(source, source + lineBytes), tile * tileBytes + (y % size) * lineBytes);
    }
  }
  if (count > tiles) data.set(resizePillow(image, size, size, 'bicubic', { pillow }).data, tiles * tileBytes);
  return { data, count };
}
