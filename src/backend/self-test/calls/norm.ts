/** Layer norm and RMS norm with their gradients. */
import { given, givenStored, type KernelCall, normals, result, resultStored, type Values } from '../kernel-call.js';
import { at, fillRows, sumOf } from './math.js';
import type { Shapes } from './shapes.js';

const EPS = 1e-5;
/** Tokens whose parameter gradients one partial sum holds. */
const CHUNK = 64;

/** z[r, c] = (x - mean) / deviation, and the deviations' inverses. */
function normalised(x: Values, rows: number, cols: number, centred: boolean) {
  const inverse = new Float64Array(rows);
  const mean = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const value = (c: number) => at(x, r * cols + c);
    const centre = centred ? sumOf(cols, value) / cols : 0;
    mean[r] = centre;
    inverse[r] = 1 / Math.sqrt(sumOf(cols, (c) => (value(c) - centre) ** 2) / cols + EPS);
  }
  return { inverse, z: fillRows(rows, cols, (r, c) => (at(x, r * cols + c) - at(mean, r)) * at(inverse, r)) };
}

function gradient(dy: Values, x: Values, gamma: Values, rows: number, cols: number, centred: boolean): Float64Array {
  const { inverse, z } = normalised(x, rows, cols, centred);
  const g = fillRows(rows, cols, (r, c) => at(dy, r * cols + c) * at(gamma, c));
  const meanG = Array.from({ length: rows }, (_, r) => (centred ? sumOf(cols, (c) => at(g, r * cols + c)) / cols : 0));
  const meanGz = Array.from(
    { length: rows },
    (_, r) => sumOf(cols, (c) => at(g, r * cols + c) * at(z, r * cols + c)) / cols,
  );
  return fillRows(rows, cols, (r, c) => {
    const i = r * cols + c;
    return at(inverse, r) * (at(g, i) - at(meanG, r) - at(z, i) * at(meanGz, r));
  });
}

function forwardCalls(rows: number, cols: number): KernelCall[] {
  const shape = `${rows} x ${cols}`;
  const x = normals(rows * cols);
  const dy = normals(rows * cols);
  const gamma = normals(cols);
  const beta = normals(cols);
  const size = rows * cols;
  const grad = (kernel: string, centred: boolean): KernelCall => ({
    kernel,
    shape,
    args: [givenStored(dy), givenStored(x), given(gamma), resultStored(size), rows, cols, EPS],
    expected: (d, v, g) => [gradient(d, v, g, rows, cols, centred)],
    // A row of one channel divides by sqrt(eps): errors grow by 300.
    tolerance: cols < 8 ? 2e-2 : 1e-4,
  });
  return [
    {
      kernel: 'layer_norm',
      shape,
      args: [givenStored(x), given(gamma), given(beta), resultStored(size), rows, cols, EPS],
      expected: (v, g, b) => {
        const { z } = normalised(v, rows, cols, true);
        return [fillRows(rows, cols, (r, c) => at(z, r * cols + c) * at(g, c) + at(b, c))];
      },
      tolerance: cols < 8 ? 2e-2 : 1e-4,
    },
    {
      kernel: 'rms_norm',
      shape,
      args: [givenStored(x), given(gamma), resultStored(size), rows, cols, EPS],
      expected: (v, g) => {
        const { z } = normalised(v, rows, cols, false);
        return [fillRows(rows, cols, (r, c) => at(z, r * cols + c) * at(g, c))];
      },
    },
    grad('layer_norm_grad_x', true),
    grad('rms_norm_grad_x', false),
    ...residualCalls(rows, cols),
  ];
}

/** The norm of a residual's sum, and its gradient. */
function residualCalls(rows: number, cols: number): KernelCall[] {
  const size = rows * cols;
  const shape = `${rows} x ${cols}`;
  const data = () => givenStored(normals(size));
  return [
    {
      kernel: 'add_rms_norm',
      shape,
      args: [data(), data(), given(normals(cols)), resultStored(size), resultStored(size), rows, cols, EPS],
      expected: (x, r, gamma) => {
        const sum = Float32Array.from({ length: size }, (_, i) => at(x, i) + at(r, i));
        const { z } = normalised(sum, rows, cols, false);
        return [sum, fillRows(rows, cols, (row, c) => at(z, row * cols + c) * at(gamma, c))];
      },
      // In bf16 the norm is of the rounded sum: one more rounding of each element.
      tolerance: 4e-3,
    },
    {
      kernel: 'add_rms_norm_grad',
      shape,
      args: [data(), data(), data(), given(normals(cols)), resultStored(size), rows, cols, EPS],
      expected: (ds, dy, s, gamma) => {
        const through = gradient(dy, s, gamma, rows, cols, false);
        return [through.map((value, i) => value + at(ds, i))];
      },
      tolerance: cols < 8 ? 2e-2 : 1e-4,
    },
  ];
}

/** Sums of dy z and dy over chunks of tokens. */
function parameterCalls(tokens: number, cols: number): KernelCall[] {
  const chunks = Math.ceil(tokens / CHUNK);
  const sums = (value: (t: number, c: number) => number) =>
    fillRows(chunks, cols, (chunk, c) =>
      sumOf(Math.min(CHUNK, tokens - chunk * CHUNK), (i) => value(chunk * CHUNK + i, c)),
    );
  const call = (kernel: string, centred: boolean): KernelCall => {
    const outputs = centred ? [result(chunks * cols), result(chunks * cols)] : [result(chunks * cols)];
    return {
      kernel,
      shape: `${tokens} x ${cols}`,
      args: [
        ...[givenStored(normals(tokens * cols)), givenStored(normals(tokens * cols)), ...outputs],
        ...[chunks, CHUNK, tokens, cols, EPS],
      ],
      expected: (dy, x) => {
        const { z } = normalised(x, tokens, cols, centred);
        const dgamma = sums((t, c) => at(dy, t * cols + c) * at(z, t * cols + c));
        return centred ? [dgamma, sums((t, c) => at(dy, t * cols + c))] : [dgamma];
      },
      tolerance: cols < 8 ? 2e-2 : 1e-4,
    };
  };
  return [call('layer_norm_grad_params', true), call('rms_norm_grad_gamma', false)];
}

export function normCalls({ rows }: Shapes): KernelCall[] {
  return rows.flatMap(([r, c]) => [...forwardCalls(r, c), ...parameterCalls(r, c)]);
}
