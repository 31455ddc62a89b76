/** Functions of the references, in float64. */

/** Maclaurin series below 3, continued fraction of the complement above; error below 1e-14. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= -(a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function sumOf(length: number, term: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += term(i);
  return sum;
}

/** The value at an index that is known to be inside. */
export const at = (values: ArrayLike<number>, i: number): number => values[i] ?? Number.NaN;

export function fill(length: number, value: (i: number) => number): Float64Array {
  const values = new Float64Array(length);
  for (let i = 0; i < length; i++) values[i] = value(i);
  return values;
}

/** value(row, column) over a matrix. */
export function fillRows(rows: number, cols: number, value: (r: number, c: number) => number): Float64Array {
  const values = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) values[r * cols + c] = value(r, c);
  return values;
}
