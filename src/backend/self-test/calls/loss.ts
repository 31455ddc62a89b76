/** Cross-entropy with label smoothing and ignored labels. */
import {
  changed,
  given,
  givenStored,
  integers,
  type KernelCall,
  normals,
  result,
  resultStored,
  type Values,
} from '../kernel-call.js';
import { logSumExp } from './activation.js';
import { at, fill, fillRows, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

const IGNORED = -100;

function callsOf(rows: number, cols: number, smoothing: number): KernelCall[] {
  const shape = `${rows} x ${cols}, smoothing ${smoothing}`;
  const labels = integers(rows, 0, cols).map((label, r) => (r % 5 === 2 ? IGNORED : label));
  const logits = normals(rows * cols).map((x) => 3 * x);
  const lossOf = (x: Values) => {
    const sums = logSumExp(x, rows, cols);
    const loss = (r: number, c: number) => at(sums, r) - at(x, r * cols + c);
    const even = (r: number) => sumOf(cols, (c) => loss(r, c)) / cols;
    return fill(rows, (r) => {
      const label = at(labels, r);
      return label < 0 ? 0 : (1 - smoothing) * loss(r, label) + smoothing * even(r);
    });
  };
  const gradientOf = (dy: Values, x: Values) => {
    const sums = logSumExp(x, rows, cols);
    return fillRows(rows, cols, (r, c) => {
      if (at(labels, r) < 0) return 0;
      const hot = c === at(labels, r) ? 1 - smoothing : 0;
      return at(dy, r) * (Math.exp(at(x, r * cols + c) - at(sums, r)) - hot - smoothing / cols);
    });
  };
  return [
    {
      kernel: 'cross_entropy',
      shape,
      args: [given(logits), given(labels), result(rows), rows, cols, smoothing],
      expected: (x) => [lossOf(x)],
    },
    {
      kernel: 'cross_entropy_grad',
      shape,
      args: [given(normals(rows)), given(labels), changed(logits), rows, cols, smoothing],
      expected: (dy, _, x) => [gradientOf(dy, x)],
    },
    {
      kernel: 'cross_entropy_with_grad',
      shape,
      args: [given(labels), changed(logits), result(rows), rows, cols, smoothing],
      expected: (_, x) => [
        gradientOf(
          Float32Array.from({ length: rows }, () => 1),
          x,
        ),
        lossOf(x),
      ],
    },
  ];
}

/** Rows by a factor each. */
function scaleRows(rows: number, cols: number): KernelCall {
  return {
    kernel: 'scale_rows',
    shape: `${rows} x ${cols}`,
    args: [givenStored(normals(rows * cols)), given(normals(rows)), resultStored(rows * cols), rows, cols],
    expected: (x, factor) => [fillRows(rows, cols, (r, c) => at(x, r * cols + c) * at(factor, r))],
  };
}

export function lossCalls({ rows }: Shapes): KernelCall[] {
  return rows.flatMap(([r, c]) => [...callsOf(r, c, 0), ...callsOf(r, c, 0.1), scaleRows(r, c)]);
}
