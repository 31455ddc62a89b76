export interface TileLimits {
  /** Side of a tile, pixels. */
  readonly size: number;
  /** Tiles of a picture at least and at most, the thumbnail not counted. */
  readonly minTiles?: number;
  readonly maxTiles: number;
}

export interface TileGrid {
  readonly columns: number;
  readonly rows: number;
}

/**
 * The grid whose shape is nearest to the picture's: the least |width / height - columns / rows| over all grids of `minTiles`
 * to `maxTiles` tiles.
 *
 * Of grids of one shape the larger is taken only where the picture has more than half of its pixels: a small picture is
 * not blown up.
 *
 * @throws RangeError for limits or sizes that are not positive integers, or minTiles above maxTiles
 * @source InternVL 1.5 (https://arxiv.org/abs/2404.16821), section 3.3, `dynamic_preprocess`
 */
export function tileGrid(width: number, height: number, { size, minTiles = 1, maxTiles }: TileLimits): TileGrid {
  for (const [name, value] of Object.entries({ width, height, size, minTiles, maxTiles })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`tileGrid: ${name} must be a positive integer, got ${value}`);
    }
  }
  if (minTiles > maxTiles) throw new RangeError(`tileGrid: minTiles ${minTiles} exceeds maxTiles ${maxTiles}`);
  let best: TileGrid = { columns: 1, rows: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (const grid of grids(minTiles, maxTiles)) {
    const tiles = grid.columns * grid.rows;
    const difference = Math.abs(width / height - grid.columns / grid.rows);
    const large = width * height > 0.5 * size * size * tiles;
    if (difference < least || (difference === least && large)) best = grid;
    least = Math.min(least, difference);
  }
  return best;
}

/** Tiles that a picture of this size is cut into, the thumbnail included where it has one. */
export function numTiles(width: number, height: number, limits: TileLimits & { readonly thumbnail: boolean }): number {
  const { columns, rows } = tileGrid(width, height, limits);
  const tiles = columns * rows;
  return tiles + (limits.thumbnail && tiles > 1 ? 1 : 0);
}

/** By number of tiles; among equals by columns, which decides ties only where minTiles exceeds 1. */
function grids(minTiles: number, maxTiles: number): TileGrid[] {
  const all: TileGrid[] = [];
  for (let columns = 1; columns <= maxTiles; columns++) {
    for (let rows = 1; columns * rows <= maxTiles; rows++) {
      if (columns * rows >= minTiles) all.push({ columns, rows });
    }
  }
  return all.sort((a, b) => a.columns * a.rows - b.columns * b.rows);
}
