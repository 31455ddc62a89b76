/** Gated fusion with its gradient, and the sums and products around it. */
import { given, givenStored, type KernelCall, normals, result, resultStored, type Values } from '../kernel-call.js';
import { at, fill, fillRows, sigmoid, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

const GAIN = 2;
/** Rows whose sums one partial result holds. */
const CHUNK = 64;

/** @param tokens of each item: `rows / tokens` items, each with one row of the other branch */
function gateCalls(rows: number, tokens: number, cols: number): KernelCall[] {
  const size = rows * cols;
  const items = Math.ceil(rows / tokens);
  // So that a logit is about 1 whatever the width.
  const weights = () => given(normals(cols).map((w) => w / Math.sqrt(cols)));
  const inputs = () => [
    givenStored(normals(size)),
    givenStored(normals(items * cols)),
    weights(),
    weights(),
    given(normals(1)),
  ];
  const openOf = (x: Values, other: Values, self: Values, others: Values, bias: Values) =>
    fill(rows, (r) => {
      const item = Math.floor(r / tokens);
      const along = (c: number) => at(x, r * cols + c) * at(self, c) + at(other, item * cols + c) * at(others, c);
      return sigmoid(sumOf(cols, along) + at(bias, 0));
    });
  const shape = `${rows} x ${cols}, ${tokens} an item`;
  return [
    {
      kernel: 'gated_fusion',
      shape,
      args: [...inputs(), resultStored(size), rows, tokens, cols, GAIN],
      expected: (x, other, self, others, bias) => {
        const open = openOf(x, other, self, others, bias);
        return [fillRows(rows, cols, (r, c) => GAIN * at(open, r) * at(x, r * cols + c))];
      },
    },
    {
      kernel: 'gated_fusion_grad_x',
      shape,
      args: [
        ...[givenStored(normals(size).map((dy) => dy / Math.sqrt(cols))), ...inputs()],
        ...[resultStored(size), result(rows), rows, tokens, cols, GAIN],
      ],
      expected: (dy, x, other, self, others, bias) => {
        const open = openOf(x, other, self, others, bias);
        const dz = fill(rows, (r) => {
          const along = sumOf(cols, (c) => at(dy, r * cols + c) * at(x, r * cols + c));
          return GAIN * at(open, r) * (1 - at(open, r)) * along;
        });
        const dx = fillRows(rows, cols, (r, c) => at(dy, r * cols + c) * GAIN * at(open, r) + at(dz, r) * at(self, c));
        return [dx, dz];
      },
    },
  ];
}

function sumCalls(rows: number, cols: number): KernelCall[] {
  const shape = `${rows} x ${cols}`;
  const chunks = Math.ceil(rows / CHUNK);
  return [
    {
      kernel: 'outer_product',
      shape,
      args: [given(normals(rows)), given(normals(cols)), resultStored(rows * cols), rows, cols],
      expected: (factor, x) => [fillRows(rows, cols, (r, c) => at(factor, r) * at(x, c))],
    },
    {
      kernel: 'weighted_sums',
      shape,
      args: [given(normals(rows)), givenStored(normals(rows * cols)), result(chunks * cols), chunks, CHUNK, rows, cols],
      expected: (factor, x) => [
        fillRows(chunks, cols, (chunk, c) =>
          sumOf(Math.min(CHUNK, rows - chunk * CHUNK), (i) => {
            const r = chunk * CHUNK + i;
            return at(factor, r) * at(x, r * cols + c);
          }),
        ),
      ],
    },
  ];
}

export function fusionCalls({ rows }: Shapes): KernelCall[] {
  return rows.flatMap(([r, c]) => [...gateCalls(r, Math.max(1, Math.ceil(r / 2)), c), ...sumCalls(r, c)]);
}
