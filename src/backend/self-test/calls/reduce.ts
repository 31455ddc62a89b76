/** Sums, other reductions, extremes and running sums along an axis. */
import { given, givenStored, integers, type KernelCall, normals, result, resultInts } from '../kernel-call.js';
import { at, fill, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

type Combine = (a: number, b: number) => number;
/** In the order of ReduceOp in kernels/reduce.cu, with what an empty axis gives. */
const REDUCTIONS: readonly (readonly [Combine, start: number])[] = [
  [(a, b) => a + b, 0],
  [(a, b) => a * b, 1],
  [Math.max, Number.NEGATIVE_INFINITY],
  [Math.min, Number.POSITIVE_INFINITY],
];
const PROD = 1;
const SCALE = 0.25;

/** x [outer, length, inner]. */
interface Extent {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** Where element i of the axis lies for result e. */
const place = ({ length, inner }: Extent, e: number, i: number) =>
  Math.floor(e / inner) * length * inner + (e % inner) + i * inner;

function rowSums(rows: number, cols: number): KernelCall[] {
  // The last row is shorter by one, where it may be.
  const total = rows === 0 ? 0 : rows * cols - (cols > 1 ? 1 : 0);
  const sums = (x: ArrayLike<number>, map: (value: number) => number) =>
    fill(rows, (r) => sumOf(Math.min(cols, total - r * cols), (c) => map(at(x, r * cols + c))));
  const shape = `${rows} x ${cols}`;
  const scale = 1 / Math.sqrt(cols);
  const x = normals(rows * cols).map((value) => value * Math.sqrt(scale));
  return [
    {
      kernel: 'sum_rows',
      shape,
      args: [givenStored(x), result(rows), rows, cols, total, scale],
      expected: (v) => [sums(v, (value) => value * scale)],
    },
    {
      kernel: 'sum_squares_rows',
      shape,
      args: [givenStored(x), result(rows), rows, cols, total],
      expected: (v) => [sums(v, (value) => value * value)],
    },
  ];
}

function columnSums({ outer, length, inner }: Extent): KernelCall {
  const chunk = 50;
  const chunks = Math.ceil(length / chunk);
  const blocks = Math.ceil(inner / 64);
  return {
    kernel: 'sum_columns',
    shape: `${outer} x ${length} x ${inner}`,
    args: [
      ...[givenStored(normals(outer * length * inner)), result(outer * chunks * inner)],
      ...[outer * chunks * blocks, length, inner, chunk, chunks, SCALE],
    ],
    expected: (x) => [
      fill(outer * chunks * inner, (e) => {
        const [o, c, j] = [Math.floor(e / (chunks * inner)), Math.floor(e / inner) % chunks, e % inner];
        const count = Math.min(chunk, length - c * chunk);
        return SCALE * sumOf(count, (i) => at(x, (o * length + c * chunk + i) * inner + j));
      }),
    ],
  };
}

/** Near 1, so that a product of many neither vanishes nor overflows. */
const nearOne = (length: number) => normals(length).map((value) => 1 + 0.01 * value);

function axisCalls(extent: Extent): KernelCall[] {
  const { outer, length, inner } = extent;
  const size = outer * length * inner;
  const n = outer * inner;
  const shape = `${outer} x ${length} x ${inner}`;
  const reduced = (x: ArrayLike<number>, op: number) =>
    fill(n, (e) => {
      const [combine, start] = REDUCTIONS[op] ?? [(a: number) => a, 0];
      let value = start;
      for (let i = 0; i < length; i++) value = combine(value, at(x, place(extent, e, i)));
      return value;
    });
  const extreme = (x: ArrayLike<number>, sign: number) =>
    fill(n, (e) => {
      let best = 0;
      for (let i = 1; i < length; i++)
        if (sign * (at(x, place(extent, e, i)) - at(x, place(extent, e, best))) > 0) best = i;
      return best;
    });
  const running = (x: ArrayLike<number>, op: number, exclusive: boolean, reverse: boolean) => {
    const [combine, start] = REDUCTIONS[op] ?? [(a: number) => a, 0];
    const y = new Float64Array(size);
    for (let e = 0; e < n; e++) {
      let value = start;
      for (let i = 0; i < length; i++) {
        const from = place(extent, e, reverse ? length - 1 - i : i);
        const next = combine(value, at(x, from));
        y[from] = exclusive ? value : next;
        value = next;
      }
    }
    return [y];
  };
  const sizes = [n, length, inner];
  const runs = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [bits & 1, (bits >> 1) & 1, bits >> 2] as const);
  return [
    ...[...REDUCTIONS.keys()].flatMap((op): KernelCall[] => [
      {
        kernel: 'reduce',
        shape: `op ${op}, ${shape}`,
        args: [op, given(nearOne(size)), result(n), ...sizes],
        expected: (x) => [reduced(x, op)],
      },
      {
        kernel: 'reduce_int',
        shape: `op ${op}, ${shape}`,
        args: [op, given(op === PROD ? integers(size, 1, 2) : integers(size, -9, 9)), resultInts(n), ...sizes],
        expected: (x) => [reduced(x, op)],
      },
    ]),
    ...[1, -1].flatMap((sign): KernelCall[] => [
      {
        kernel: 'arg_extreme',
        shape: `sign ${sign}, ${shape}`,
        args: [given(normals(size)), resultInts(n), ...sizes, sign],
        expected: (x) => [extreme(x, sign)],
      },
      {
        kernel: 'arg_extreme_int',
        shape: `sign ${sign}, ${shape}`,
        args: [given(integers(size, -4, 4)), resultInts(n), ...sizes, sign],
        expected: (x) => [extreme(x, sign)],
      },
    ]),
    ...runs.flatMap(([op, exclusive, reverse]): KernelCall[] => [
      {
        kernel: 'cumulate',
        shape: `op ${op}, ${exclusive} ${reverse}, ${shape}`,
        args: [op, given(nearOne(size)), result(size), ...sizes, exclusive, reverse],
        expected: (x) => running(x, op, exclusive === 1, reverse === 1),
      },
      {
        kernel: 'cumulate_int',
        shape: `op ${op}, ${exclusive} ${reverse}, ${shape}`,
        args: [
          ...[op, given(op === PROD ? integers(size, 1, 2) : integers(size, -9, 9)), resultInts(size)],
          ...[...sizes, exclusive, reverse],
        ],
        expected: (x) => running(x, op, exclusive === 1, reverse === 1),
      },
    ]),
  ];
}

export function reduceCalls({ rows }: Shapes): KernelCall[] {
  const extents = rows
    .filter(([r, c]) => r * c > 0)
    .flatMap(([r, c]): Extent[] => [
      { outer: Math.min(r, 40), length: Math.min(c, 1500), inner: 1 },
      { outer: 2, length: Math.min(r, 1500), inner: Math.min(c, 130) },
    ]);
  return [
    ...rows.flatMap(([r, c]) => rowSums(r, c)),
    ...extents.flatMap((extent) => [columnSums(extent), ...axisCalls(extent)]),
  ];
}
