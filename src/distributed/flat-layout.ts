/**
 * Where each trained parameter lies in one flat buffer, and which part of it is whose (ZeRO-1).
 *
 * The buffer is padded so that every rank owns as many values, wherever parameters end: a slice may begin and end inside
 * a parameter, and then holds a piece of it.
 *
 * Source: Rajbhandari et al. 2020, "ZeRO: memory optimizations toward training trillion parameter models", stage 1
 */
export interface Sized {
  readonly name: string;
  readonly size: number;
}

/** Values `begin` to `end` of a parameter, at `offset` of the slice. */
export interface Piece {
  readonly parameter: number;
  readonly begin: number;
  readonly end: number;
  readonly offset: number;
}

export class FlatLayout {
  /** Where each parameter begins. */
  readonly offsets: readonly number[];
  readonly totalSize: number;
  /** Values that each rank owns. */
  readonly sliceSize: number;
  /** Length of the buffer: sliceSize times the number of ranks. */
  readonly paddedSize: number;

  constructor(
    readonly parameters: readonly Sized[],
    readonly numRanks: number,
  ) {
    let end = 0;
    this.offsets = parameters.map(({ size }) => {
      end += size;
      return end - size;
    });
    this.totalSize = end;
    this.sliceSize = Math.max(1, Math.ceil(end / numRanks));
    this.paddedSize = this.sliceSize * numRanks;
  }

  /** The pieces of parameters in a rank's slice, in order. */
  piecesOf(rank: number): Piece[] {
    const first = rank * this.sliceSize;
    const last = first + this.sliceSize;
    return this.parameters.flatMap(({ size }, parameter) => {
      const offset = this.offsets[parameter] ?? 0;
      const begin = Math.max(first, offset);
      const end = Math.min(last, offset + size);
      return begin < end ? [{ parameter, begin: begin - offset, end: end - offset, offset: begin - first }] : [];
    });
  }
}
