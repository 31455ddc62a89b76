/**
 * Matrices whose last rows lie past 2^31 bytes (f32) and past 2^31 elements (bf16). Only those rows are written: pages
 * that are merely read are the system's one page of zeros, so that the tests need little memory.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { type FloatStorage, type GemmProblem, STORAGE_BYTES } from '../../../src/backend/device.js';
import { at } from '../../support/host-tensor.js';
import { Buffers, device, randomValues, readValues } from './host-memory.js';

const K = 2 ** 20;
const LIMIT = 2 ** 31;
const ROWS = { f32: LIMIT / (4 * K) + 3, bf16: LIMIT / K + 3 } as const;
const VALUES = 1000;

const buffers = new Buffers();

/** The last row of the tall A is 0 but for its first numbers. */
function tall(storage: FloatStorage): { address: number; last: Float64Array } {
  const m = ROWS[storage];
  const address = buffers.raw(m * K * STORAGE_BYTES[storage]);
  const last = randomValues('last', VALUES, storage);
  buffers.place(address + (m - 1) * K * STORAGE_BYTES[storage], last, storage);
  return { address, last };
}

describe('matrix products past 2^31', () => {
  afterEach(() => {
    buffers.free();
    // The pool would keep gigabytes for the next request of that size.
    device.dispose();
  });

  for (const storage of ['f32', 'bf16'] as const) {
    // One column runs by dot products, 5 by packed tiles; measured 5.4e-6, of sums around 20.
    it.each([1, 5])(`reads the last row of ${storage}, by %i columns`, (n) => {
      const m = ROWS[storage];
      const { address, last } = tall(storage);
      const b = randomValues('b', VALUES * n, storage);
      const bBytes = K * n * STORAGE_BYTES[storage];
      const bAddress = buffers.raw(bBytes);
      device.write(bAddress, new Uint8Array(bBytes));
      buffers.place(bAddress, b, storage);
      const problem: GemmProblem = {
        ...({ storage, resultStorage: 'f32', activation: 'none' } as const),
        ...{ transposeA: false, transposeB: false, m, n, k: K, a: address, b: bAddress },
        ...{ c: buffers.empty(m * n, 'f32'), bias: 0, scale: 1, accumulate: false },
        ...{ batch: 1, strideA: 0, strideB: 0, strideC: 0 },
      };
      device.gemm(problem);
      const got = readValues(problem.c, m * n, 'f32');
      expect(got.subarray(0, -n).every((value) => value === 0)).toBe(true);
      for (let col = 0; col < n; col++) {
        let want = 0;
        for (let i = 0; i < VALUES; i++) want += at(last, i) * at(b, i * n + col);
        expect(Math.abs(at(got, (m - 1) * n + col) - want)).toBeLessThan(2e-5);
      }
    });
  }
});
