/** The sizes that a family's kernels are called with. */
export interface Shapes {
  /** Elements, of element kernels. */
  readonly lengths: readonly number[];
  /** Rows and columns, of row kernels. */
  readonly rows: readonly (readonly [rows: number, cols: number])[];
}

/** Enough to tell a working kernel from a broken one, in milliseconds. */
export const SMALL_SHAPES: Shapes = { lengths: [300], rows: [[3, 70]] };

/** Empty, single, odd; below, at and above a block's width; more rows than a grid has blocks; a vocabulary's width. */
export const MANY_SHAPES: Shapes = {
  lengths: [0, 1, 31, 1024, 65_537, 300_001],
  rows: [
    [0, 8],
    [1, 1],
    [2, 33],
    [5, 256],
    [7, 1025],
    [300, 64],
    [70_001, 3],
    [2, 92_553],
  ],
};
