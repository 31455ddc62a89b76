/** A list of 32-bit integers that grows. */
export class NumberList {
  private values = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Int32Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  at(index: number): number | undefined {
    return index < this.length ? this.values[index] : undefined;
  }

  toArray(): Int32Array {
    return this.values.slice(0, this.length);
  }
}

/** Rows of numbers, one after the other: row i is `values` from `starts[i]` to `starts[i + 1]`. */
export interface NumberRows {
  readonly starts: Int32Array;
  readonly values: Int32Array;
}

/** @param row outside of the rows: an empty one */
export function rowOf({ starts, values }: NumberRows, row: number): Int32Array {
  return values.subarray(starts[row] ?? 0, starts[row + 1] ?? 0);
}

/**
 * The places of each number, ascending: row v lists the i with `keys[i] === v`.
 *
 * @param keys from -1 to `count` - 1; places of -1 are in no row
 */
export function placesByNumber(keys: Int32Array, count: number): NumberRows {
  const starts = new Int32Array(count + 1);
  for (const key of keys) if (key >= 0) starts[key + 1] = (starts[key + 1] ?? 0) + 1;
  for (let key = 0; key < count; key++) starts[key + 1] = (starts[key + 1] ?? 0) + (starts[key] ?? 0);
  const next = starts.slice();
  const values = new Int32Array(starts[count] ?? 0);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? -1;
    if (key < 0) continue;
    const at = next[key] ?? 0;
    values[at] = i;
    next[key] = at + 1;
  }
  return { starts, values };
}
