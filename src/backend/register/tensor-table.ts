/** Tables of many tensors, for kernels that take them all in one launch (kernels/optimizer.cu reads them). */
import type { NativeBackend } from '../native-backend.js';

/** Elements a row. The order of summation and of vectors is that of the kernels for one tensor: they cut alike. */
const CHUNK = 4096;
const WORD_BYTES = 8;

export interface TableEntry {
  readonly size: number;
  /** Elements a row; at least CHUNK. */
  readonly chunk?: number;
  readonly addresses: readonly number[];
  /** Two to a word. */
  readonly floats?: readonly number[];
}

export interface TensorTable {
  readonly address: number;
  readonly rows: number;
  readonly tensors: number;
  /** Words an entry. */
  readonly width: number;
}

/** Few enough rows that one row can sum up the rest. */
export function summationChunk(size: number): number {
  return Math.max(CHUNK, Math.ceil(size / CHUNK));
}

/** Runs `use` with a table on the device; it lives as long as the call, which only queues work. */
export function withTable<T>(
  backend: NativeBackend,
  entries: readonly TableEntry[],
  use: (table: TensorTable) => T,
): T {
  const [{ addresses, floats = [] } = { addresses: [] }] = entries;
  const width = 3 + addresses.length + Math.ceil(floats.length / 2);
  const words = new Int32Array(2 * width * entries.length);
  const asFloats = new Float32Array(words.buffer);
  let rows = 0;
  for (const [i, entry] of entries.entries()) {
    const chunk = entry.chunk ?? CHUNK;
    [rows, chunk, entry.size, ...entry.addresses].forEach((value, word) => {
      const at = 2 * (i * width + word);
      words[at] = value % 2 ** 32;
      words[at + 1] = Math.floor(value / 2 ** 32);
    });
    asFloats.set(entry.floats ?? [], 2 * (i * width + 3 + entry.addresses.length));
    rows += Math.ceil(entry.size / chunk);
  }
  return backend.withScratch(Math.max(1, width * entries.length) * WORD_BYTES, (address) => {
    if (words.length > 0) backend.device.write(address, words);
    return use({ address, rows, tensors: entries.length, width });
  });
}
