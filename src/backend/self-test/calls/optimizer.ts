/** AdamW and sums of squares, of one tensor and of many in one launch. */
import {
  changed,
  given,
  type KernelBuffer,
  type KernelCall,
  normals,
  positives,
  result,
  type Values,
} from '../kernel-call.js';
import { at, fill, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

const [BETA1, BETA2, EPS, LEARNING_RATE, WEIGHT_DECAY, STEP, GRAD_SCALE] = [
  0.9, 0.95, 1e-8, 0.01, 0.1, 7, 0.5,
] as const;
const DECAY = 1 - LEARNING_RATE * WEIGHT_DECAY;
const STEP_SIZE = LEARNING_RATE / (1 - BETA1 ** STEP);
const ROOT = 1 / Math.sqrt(1 - BETA2 ** STEP);
/** Elements that a row of a table holds. */
const CHUNK = 4096;
const WORD_BYTES = 4;

function updated(n: number, param: Values, grad: Values, m: Values, v: Values) {
  const mean = fill(n, (i) => BETA1 * at(m, i) + (1 - BETA1) * GRAD_SCALE * at(grad, i));
  const square = fill(n, (i) => BETA2 * at(v, i) + (1 - BETA2) * (GRAD_SCALE * at(grad, i)) ** 2);
  const step = (i: number) => (STEP_SIZE * at(mean, i)) / (Math.sqrt(at(square, i)) * ROOT + EPS);
  return [fill(n, (i) => at(param, i) * DECAY - step(i)), mean, square];
}

function one(n: number): KernelCall {
  return {
    kernel: 'adamw',
    shape: `${n}`,
    args: [
      ...[given(normals(n)), given(normals(n)), given(normals(n)), given(positives(n))],
      ...[result(n), result(n), result(n), n],
      ...[BETA1, BETA2, 1 - BETA1, 1 - BETA2, EPS, DECAY, STEP_SIZE, ROOT, GRAD_SCALE],
    ],
    expected: (param, grad, m, v) => updated(n, param, grad, m, v),
  };
}

/** Buffers of n elements as two tensors, of `first` elements and the rest: entries of a table. */
interface Parted {
  readonly table: KernelBuffer;
  readonly rows: number;
  readonly width: number;
}

/** @param addresses by buffer, with the element where the tensor begins */
function tableOf(n: number, first: number, buffers: number, floats: readonly number[]): Parted {
  const width = 3 + buffers + Math.ceil(floats.length / 2);
  const rowsOf = (size: number) => Math.ceil(size / CHUNK);
  const pointing = (addresses: readonly number[]) => {
    const words = new Int32Array(4 * width);
    const asFloats = new Float32Array(words.buffer);
    const parts = [
      { row: 0, size: first, begin: 0 },
      { row: rowsOf(first), size: n - first, begin: first },
    ];
    for (const [i, { row, size, begin }] of parts.entries()) {
      const values = [row, CHUNK, size, ...addresses.slice(0, buffers).map((address) => address + begin * WORD_BYTES)];
      for (const [word, value] of values.entries()) {
        words[2 * (i * width + word)] = value % 2 ** 32;
        words[2 * (i * width + word) + 1] = Math.floor(value / 2 ** 32);
      }
      asFloats.set(floats, 2 * (i * width + 3 + buffers));
    }
    return words;
  };
  return {
    table: { ...given(new Int32Array(4 * width)), pointing },
    rows: rowsOf(first) + rowsOf(n - first),
    width,
  };
}

function many(n: number): KernelCall[] {
  const first = Math.floor(n / 3);
  const shape = `${first} and ${n - first}`;
  const update = tableOf(n, first, 7, [DECAY, STEP_SIZE, ROOT]);
  const squares = tableOf(n, first, 1, []);
  const chunks = tableOf(n, first, 0, []);
  const counts = [Math.ceil(first / CHUNK), Math.ceil((n - first) / CHUNK)];
  const partials = (counts[0] ?? 0) + (counts[1] ?? 0);
  /** Begin and end of a row's elements. */
  const range = (row: number): [number, number] => {
    const [begin, end, at0] = row < (counts[0] ?? 0) ? [0, first, row] : [first, n, row - (counts[0] ?? 0)];
    return [begin + at0 * CHUNK, Math.min(end, begin + (at0 + 1) * CHUNK)];
  };
  return [
    {
      kernel: 'adamw_many',
      shape,
      args: [...[update.table, update.rows, 2, update.width], ...[BETA1, BETA2, 1 - BETA1, 1 - BETA2, EPS, GRAD_SCALE]],
      linked: [
        ...[given(normals(n)), given(normals(n)), given(normals(n)), given(positives(n))],
        ...[result(n), result(n), result(n)],
      ],
      expected: (_, grad, param, m, v) => updated(n, param, grad, m, v),
    },
    {
      kernel: 'sum_squares_many',
      shape,
      args: [squares.table, result(partials), squares.rows, 2, squares.width],
      linked: [given(normals(n).map((x) => x / 8))],
      expected: (_, __, x) => [
        fill(partials, (row) => {
          const [begin, end] = range(row);
          return sumOf(end - begin, (i) => at(x, begin + i) ** 2);
        }),
      ],
    },
    {
      kernel: 'sum_chunks',
      shape,
      args: [chunks.table, given(normals(partials)), changed(new Float32Array(2)), 2, chunks.width],
      expected: (_, partial) => [
        fill(2, (tensor) => sumOf(counts[tensor] ?? 0, (i) => at(partial, tensor * (counts[0] ?? 0) + i))),
      ],
    },
  ];
}

export function optimizerCalls({ lengths }: Shapes): KernelCall[] {
  // A table has no entries without elements.
  return [...lengths.map(one), ...lengths.filter((n) => n > 3).flatMap(many)];
}
