import type { Frames } from '../../model/frames.js';

export interface StoredFrames {
  /** Rows [stored, size, size, 3] flattened. */
  readonly data: Uint8Array;
  readonly size: number;
  /** The frame number of each row, increasing; undefined when row i is frame i. */
  readonly stored: Int32Array | undefined;
  /** Timestamps of the whole stream. */
  readonly timesSec: Float64Array;
}

/** The frames numbered `indices`, repeats allowed; shares `data` when that is exactly what is stored. */
export function selectFrames({ data, size, stored, timesSec }: StoredFrames, indices: Int32Array): Frames {
  const frameBytes = size ** 2 * 3;
  const rowOf = stored && new Map(Array.from(stored, (index, row) => [index, row]));
  const rows = indices.map((index) => (rowOf === undefined ? index : (rowOf.get(index) ?? -1)));
  let selected = data;
  if (rows.length * frameBytes !== data.length || !rows.every((row, i) => row === i)) {
    selected = new Uint8Array(rows.length * frameBytes);
    for (const [i, row] of rows.entries())
      selected.set(data.subarray(row * frameBytes, (row + 1) * frameBytes), i * frameBytes);
  }
  return {
    data: selected,
    count: indices.length,
    height: size,
    width: size,
    indices,
    timesSec: Float64Array.from(indices, (index) => timesSec[index] ?? Number.NaN),
  };
}
