/** Strided views in the form kernels take: rows n0 x .. x n4 of `cols` elements, with six strides for each operand. */
import { BackendError } from '../../base/errors.js';

const RANK = 6;

export interface Layout {
  readonly rows: number;
  readonly cols: number;
  /** n1..n4; n0 follows from `rows`. */
  readonly sizes: [number, number, number, number];
  /** For each operand, outermost first. */
  readonly strides: readonly (readonly number[])[];
}

/** Strides of a dense tensor, in elements. */
export function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] ?? 1;
  }
  return strides;
}

/** Strides that repeat `shape` over `outShape`: aligned at the last axis, 0 where it is broadcast. */
export function broadcastStrides(shape: readonly number[], outShape: readonly number[]): number[] {
  const own = denseStrides(shape);
  const missing = outShape.length - shape.length;
  return outShape.map((_, axis) => (axis < missing || shape[axis - missing] === 1 ? 0 : (own[axis - missing] ?? 0)));
}

/**
 * Merges neighbouring axes that every operand walks in one stride, so that the inner loop is as long as can be.
 *
 * @throws BackendError when more than six axes remain
 */
export function collapse(shape: readonly number[], strides: readonly (readonly number[])[]): Layout {
  const sizes: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size === 1) continue;
    const inner = sizes.length - 1;
    const innerSize = sizes[inner] ?? 1;
    const joins = inner >= 0 && strides.every((own, i) => own[axis] === (merged[i]?.[inner] ?? 0) * innerSize);
    if (joins) {
      sizes[inner] = innerSize * size;
    } else {
      sizes.push(size);
      for (const [i, own] of strides.entries()) merged[i]?.push(own[axis] ?? 0);
    }
  }
  if (sizes.length > RANK) {
    throw new BackendError('E_RANK_UNSUPPORTED', `native backend: shape [${shape}] has more than ${RANK} strided axes`);
  }
  const at = (list: readonly number[], axis: number, absent: number) => list[RANK - 1 - axis] ?? absent;
  const [, n1 = 1, n2 = 1, n3 = 1, n4 = 1, cols = 1] = Array.from({ length: RANK }, (_, axis) => at(sizes, axis, 1));
  const rows = shape.includes(0) ? 0 : sizes.slice(1).reduce((product, size) => product * size, 1);
  return {
    rows,
    cols,
    sizes: [n1, n2, n3, n4],
    strides: merged.map((own) => Array.from({ length: RANK }, (_, axis) => at(own, axis, 0))),
  };
}
