/** GELU, SwiGLU and softmax. */
import { given, givenStored, type KernelCall, normals, result, resultStored } from '../kernel-call.js';
import { at, erf, fill, fillRows, sigmoid, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

const SPREAD = 2;
const spread = (n: number) => normals(n).map((x) => SPREAD * x);

const cdf = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2));
const density = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

function elementCalls(n: number): KernelCall[] {
  const x = spread(n);
  const [dy, up] = [spread(n), spread(n)];
  return [
    {
      kernel: 'gelu',
      shape: `${n}`,
      args: [givenStored(x), resultStored(n), n],
      expected: (v) => [fill(n, (i) => at(v, i) * cdf(at(v, i)))],
    },
    {
      kernel: 'gelu_grad',
      shape: `${n}`,
      args: [givenStored(dy), givenStored(x), resultStored(n), n],
      expected: (d, v) => [fill(n, (i) => at(d, i) * (cdf(at(v, i)) + at(v, i) * density(at(v, i))))],
    },
    {
      kernel: 'swiglu',
      shape: `${n}`,
      args: [givenStored(x), givenStored(up), resultStored(n), n],
      expected: (g, u) => [fill(n, (i) => at(g, i) * sigmoid(at(g, i)) * at(u, i))],
    },
    {
      kernel: 'swiglu_grad',
      shape: `${n}`,
      args: [givenStored(dy), givenStored(x), givenStored(up), resultStored(n), resultStored(n), n],
      expected: (d, g, u) => [
        fill(n, (i) => at(d, i) * at(u, i) * sigmoid(at(g, i)) * (1 + at(g, i) * (1 - sigmoid(at(g, i))))),
        fill(n, (i) => at(d, i) * at(g, i) * sigmoid(at(g, i))),
      ],
    },
  ];
}

/** log sum_c exp(x[r, c]), per row. */
export function logSumExp(x: ArrayLike<number>, rows: number, cols: number): Float64Array {
  return fill(rows, (r) => {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < cols; c++) top = Math.max(top, at(x, r * cols + c));
    return top + Math.log(sumOf(cols, (c) => Math.exp(at(x, r * cols + c) - top)));
  });
}

function rowCalls(rows: number, cols: number): KernelCall[] {
  const call = (kernel: string, value: (x: number, logSum: number) => number): KernelCall => ({
    kernel,
    shape: `${rows} x ${cols}`,
    args: [given(spread(rows * cols)), result(rows * cols), rows, cols],
    expected: (x) => {
      const sums = logSumExp(x, rows, cols);
      return [fillRows(rows, cols, (r, c) => value(at(x, r * cols + c), at(sums, r)))];
    },
  });
  return [call('softmax', (x, logSum) => Math.exp(x - logSum)), call('log_softmax', (x, logSum) => x - logSum)];
}

export function activationCalls({ lengths, rows }: Shapes): KernelCall[] {
  return [...lengths.flatMap(elementCalls), ...rows.flatMap(([r, c]) => rowCalls(r, c))];
}
