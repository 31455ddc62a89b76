/**
 * Normal random numbers at memory speed, each a pure function of (seed, tensor name, element): any part of a tensor can be
 * drawn alone, in any order, in pieces of any size.
 *
 * Ten Philox rounds a number would take minutes for 8 billion; here 16 bits of a hashed counter pick one of 65,536 quantiles.
 */
import { Rng } from '../../base/rng.js';
import { float32ToBfloat16 } from '../weights/half.js';
import { normalQuantile } from './normal-quantile.js';

const QUANTILES = 2 ** 16;

/** Mean and standard deviation of a tensor's elements. */
export interface Distribution {
  readonly mean: number;
  readonly std: number;
}

/** Where a tensor's numbers come from: two words that its name gives. */
export interface StreamKey {
  readonly first: number;
  readonly second: number;
}

export function streamKey(seed: number, name: string): StreamKey {
  const rng = new Rng(seed, 'random weights').fork(name);
  return { first: rng.uint32() | 0, second: rng.uint32() | 0 };
}

/** The 65,536 values that a distribution's elements take, as they are stored. */
export type QuantileTable = Float32Array | Uint16Array;

let standardQuantiles: Float64Array | undefined;

/** @param dtype bf16 values are bit patterns, rounded to nearest even */
export function quantileTable({ mean, std }: Distribution, dtype: 'BF16' | 'F32'): QuantileTable {
  standardQuantiles ??= Float64Array.from({ length: QUANTILES }, (_, i) => normalQuantile((i + 0.5) / QUANTILES));
  const values = Float32Array.from(standardQuantiles, (z) => mean + std * z);
  return dtype === 'BF16' ? float32ToBfloat16(values) : values;
}

/** Fills `out` with the elements from `start` on. */
export function fillNormals(out: QuantileTable, table: QuantileTable, key: StreamKey, start: number): void {
  // One loop for each array type: a mixed one runs at half the speed.
  if (out instanceof Uint16Array && table instanceof Uint16Array) fillBits(out, table, key, start);
  else if (out instanceof Float32Array && table instanceof Float32Array) fillFloats(out, table, key, start);
  else throw new TypeError('fillNormals: the table is of another type than what it fills');
}

/** Element e is the lower half of word e / 2 where e is even, else the upper half. */
function fillBits(out: Uint16Array, table: Uint16Array, { first, second }: StreamKey, start: number): void {
  const odd = start % 2;
  if (odd === 1) out[0] = table[hashedWord((start - 1) / 2, first, second) >>> 16] as number;
  const pairs = (out.length - odd) >> 1;
  const counter = ((start + odd) / 2) | 0;
  for (let i = 0, at = odd; i < pairs; i++, at += 2) {
    const word = hashedWord(counter + i, first, second);
    out[at] = table[word & 0xffff] as number;
    out[at + 1] = table[word >>> 16] as number;
  }
  if (odd + 2 * pairs < out.length)
    out[out.length - 1] = table[hashedWord(counter + pairs, first, second) & 0xffff] as number;
}

/** As fillBits. */
function fillFloats(out: Float32Array, table: Float32Array, { first, second }: StreamKey, start: number): void {
  const odd = start % 2;
  if (odd === 1) out[0] = table[hashedWord((start - 1) / 2, first, second) >>> 16] as number;
  const pairs = (out.length - odd) >> 1;
  const counter = ((start + odd) / 2) | 0;
  for (let i = 0, at = odd; i < pairs; i++, at += 2) {
    const word = hashedWord(counter + i, first, second);
    out[at] = table[word & 0xffff] as number;
    out[at + 1] = table[word >>> 16] as number;
  }
  if (odd + 2 * pairs < out.length)
    out[out.length - 1] = table[hashedWord(counter + pairs, first, second) & 0xffff] as number;
}

/**
 * 32 bits as a signed integer: two rounds of multiply and shift with the second key between them, so that another key gives
 * another permutation of the counters.
 */
function hashedWord(counter: number, first: number, second: number): number {
  let x = (Math.imul(counter, 0x9e3779b9) + first) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  x = x ^ (x >>> 15) ^ second;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
