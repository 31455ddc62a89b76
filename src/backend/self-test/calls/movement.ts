/** Data that moves unchanged: every error is one too many. */
import {
  changed,
  given,
  givenStored,
  integers,
  type KernelBuffer,
  type KernelCall,
  normals,
  resultInts,
  resultStored,
  type Values,
} from '../kernel-call.js';
import { at, fill, fillRows, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

const EXACT = 0;

/** [2, R, C] -> [C, 2, R]: the strided side is what is read. */
function permutation(rows: number, cols: number): KernelCall {
  const size = 2 * rows * cols;
  return {
    kernel: 'copy_strided',
    shape: `2 x ${rows} x ${cols} to ${cols} x 2 x ${rows}`,
    args: [
      ...[givenStored(normals(size)), resultStored(size), 2 * cols, rows, 1, 1, cols, 2],
      ...[0, 0, 0, 1, rows * cols, cols, 0, 0, 0, 2 * rows, rows, 1],
    ],
    expected: (x) => [
      fill(size, (i) => {
        const [c, b, r] = [Math.floor(i / (2 * rows)), Math.floor(i / rows) % 2, i % rows];
        return at(x, (b * rows + r) * cols + c);
      }),
    ],
    tolerance: EXACT,
  };
}

function transposition(height: number, width: number): KernelCall {
  const size = 2 * height * width;
  const tiles = 2 * Math.ceil(height / 16) * Math.ceil(width / 16);
  return {
    kernel: 'transpose_last_two',
    shape: `2 x ${height} x ${width}`,
    args: [givenStored(normals(size)), resultStored(size), tiles, height, width],
    expected: (x) => [
      fill(size, (i) => {
        const [b, j, h] = [Math.floor(i / (height * width)), Math.floor(i / height) % width, i % height];
        return at(x, (b * height + h) * width + j);
      }),
    ],
    tolerance: EXACT,
  };
}

/** [2, 3, size, inner] by indices [2, count], some of them outside. */
function gathering(count: number, inner: number): KernelCall {
  const [batch, outer, size] = [2, 3, 11];
  const rows = batch * outer * count;
  return {
    kernel: 'gather',
    shape: `${count} of ${size} rows of ${inner}`,
    args: [
      ...[givenStored(normals(batch * outer * size * inner)), given(integers(batch * count, -1, size + 1))],
      ...[resultStored(rows * inner), rows, outer, size, count, inner],
    ],
    expected: (x, indices) => [
      fillRows(rows, inner, (r, j) => {
        const [b, o, i] = [Math.floor(r / (outer * count)), Math.floor(r / count) % outer, r % count];
        const index = at(indices, b * count + i);
        return index < 0 || index >= size ? 0 : at(x, ((b * outer + o) * size + index) * inner + j);
      }),
    ],
    tolerance: EXACT,
  };
}

/** Scatter-add of `count` rows into 7, in the order given. */
function segmentSums(count: number, inner: number): KernelCall[] {
  const targets = 7;
  const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => (a % 5) - (b % 5));
  const segments = Math.min(5, count);
  const starts = Array.from({ length: segments + 1 }, (_, s) =>
    s < 5 ? order.filter((i) => i % 5 < s).length : count,
  );
  const into = Array.from({ length: segments }, (_, s) => (3 * s) % targets);
  const call = (kernel: string, x: KernelBuffer, y: KernelBuffer): KernelCall => ({
    kernel,
    shape: `${count} rows of ${inner}`,
    args: [
      ...[x, given(Int32Array.from(order)), given(Int32Array.from(starts)), given(Int32Array.from(into))],
      ...[y, segments, inner],
    ],
    expected: (rows: Values) => [
      fillRows(targets, inner, (t, j) => {
        const segment = into.indexOf(t);
        if (segment < 0) return 0;
        const [begin = 0, end = 0] = [starts[segment], starts[segment + 1]];
        return sumOf(end - begin, (i) => at(rows, (order[begin + i] ?? 0) * inner + j));
      }),
    ],
  });
  return [
    call('segment_sum', givenStored(normals(count * inner)), changed(new Float32Array(targets * inner))),
    call('segment_sum_int', given(integers(count * inner, -9, 9)), changed(new Int32Array(targets * inner))),
  ];
}

function choices(n: number, inner: number): KernelCall {
  const length = n * inner;
  return {
    kernel: 'choose',
    shape: `${n} x ${inner}`,
    args: [
      ...[given(integers(n, 0, 2)), givenStored(normals(length)), givenStored(normals(length))],
      ...[resultStored(length), length, inner],
    ],
    expected: (condition, a, b) => [
      fill(length, (i) => (at(condition, Math.floor(i / inner)) !== 0 ? at(a, i) : at(b, i))),
    ],
    tolerance: EXACT,
  };
}

function oneHot(rows: number, depth: number): KernelCall {
  return {
    kernel: 'one_hot',
    shape: `${rows} x ${depth}`,
    args: [given(integers(rows, -1, depth + 1)), resultInts(rows * depth), rows, depth, 5, -2],
    expected: (indices) => [fillRows(rows, depth, (r, d) => (at(indices, r) === d ? 5 : -2))],
  };
}

export function movementCalls({ lengths, rows }: Shapes): KernelCall[] {
  return [
    ...lengths.flatMap((n) => [choices(n, 1), choices(Math.floor(n / 3), 3)]),
    ...rows.flatMap(([r, c]) => [permutation(r, c), transposition(r, c), oneHot(r, c)]),
    ...rows.flatMap(([r, c]) => [gathering(Math.min(r, 1000), c), ...segmentSums(Math.min(r, 1000), c)]),
  ];
}
