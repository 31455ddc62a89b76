/** A matrix product as cuBLASLt is asked for it, and when two of them can share one plan. */
import type { FloatStorage } from '../device.js';

/** C[m, n] = scale op(A) op(B) (+ bias[n]) (+ C) for each item of a batch; row-major, rows `ld` elements apart. */
export interface Product {
  readonly storage: FloatStorage;
  /** Also the storage of the bias. */
  readonly resultStorage: FloatStorage;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly ldA: number;
  readonly ldB: number;
  readonly ldC: number;
  /** Address, or 0 for none. */
  readonly bias: number;
  readonly scale: number;
  readonly accumulate: boolean;
  readonly batch: number;
  readonly strideA: number;
  readonly strideB: number;
  readonly strideC: number;
}

const LARGEST_ALIGNMENT = 256;

/** The largest power of two up to 256 that divides an address. */
export function alignmentOf(address: number): number {
  const rest = address % LARGEST_ALIGNMENT;
  return rest === 0 ? LARGEST_ALIGNMENT : rest & -rest;
}

/** Of what a plan depends on, except alignment. Made without a string: it runs before every product. */
export function planHash(p: Product): number {
  let hash = (p.transposeA ? 1 : 0) + (p.transposeB ? 2 : 0) + (p.accumulate ? 4 : 0) + (p.bias === 0 ? 0 : 8);
  hash = Math.imul(hash + (p.storage === 'bf16' ? 16 : 0) + (p.resultStorage === 'bf16' ? 32 : 0), 0x9e3779b1) ^ p.m;
  hash = Math.imul(hash, 0x85ebca6b) ^ p.n;
  hash = Math.imul(hash, 0xc2b2ae35) ^ p.k;
  hash = Math.imul(hash, 0x27d4eb2f) ^ p.batch;
  hash = Math.imul(hash, 0x165667b1) ^ p.ldA;
  return Math.imul(hash, 0x9e3779b1) ^ p.ldB;
}

/** Whether one plan serves both: equal in all but addresses (of equal alignment) and scale. */
export function samePlan(p: Product, q: Product): boolean {
  return (
    p.m === q.m &&
    p.n === q.n &&
    p.k === q.k &&
    p.batch === q.batch &&
    p.ldA === q.ldA &&
    p.ldB === q.ldB &&
    p.ldC === q.ldC &&
    p.strideA === q.strideA &&
    p.strideB === q.strideB &&
    p.strideC === q.strideC &&
    p.storage === q.storage &&
    p.resultStorage === q.resultStorage &&
    p.transposeA === q.transposeA &&
    p.transposeB === q.transposeB &&
    p.accumulate === q.accumulate &&
    (p.bias === 0) === (q.bias === 0) &&
    alignmentOf(p.a) === alignmentOf(q.a) &&
    alignmentOf(p.b) === alignmentOf(q.b) &&
    alignmentOf(p.c) === alignmentOf(q.c)
  );
}

/** For messages: `[8, 64] x [32, 64]' in bf16 to f32`. */
export function productText(p: Product): string {
  const a = p.transposeA ? `[${p.k}, ${p.m}]'` : `[${p.m}, ${p.k}]`;
  const b = p.transposeB ? `[${p.n}, ${p.k}]'` : `[${p.k}, ${p.n}]`;
  const batch = p.batch > 1 ? `${p.batch} x ` : '';
  return `${batch}${a} x ${b} in ${p.storage} to ${p.resultStorage}`;
}
