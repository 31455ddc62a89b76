/**
 * Checks that ops make before they dispatch, so that a wrong tensor is named at the call and not in a kernel.
 * A negative size in an expected shape stands for any size.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from '../base/errors.js';

export const ANY = -1;

const describeShape = (shape: readonly number[]): string =>
  `[${shape.map((size) => (size < 0 ? '*' : size)).join(', ')}]`;

/** @returns the error `op: what is got, expected expected`, for the caller to throw. */
export function shapeError(op: string, what: string, got: string, expected: string): ShapeError {
  return new ShapeError('E_SHAPE', `${op}: ${what} is ${got}, expected ${expected}`, {
    context: { op, got, expected },
  });
}

/** @throws ShapeError unless `tensor` has the expected dtype and shape. */
export function checkTensor(
  op: string,
  name: string,
  tensor: tf.TensorInfo,
  expected: readonly number[],
  dtype: tf.DataType = 'float32',
): void {
  const { shape } = tensor;
  let fits = shape.length === expected.length && tensor.dtype === dtype;
  for (let axis = 0; fits && axis < shape.length; axis++) {
    const size = expected[axis] ?? ANY;
    fits = size < 0 || shape[axis] === size;
  }
  if (fits) return;
  throw shapeError(
    op,
    name,
    `${tensor.dtype} ${describeShape(shape)}`,
    `${dtype} ${describeShape(expected)} (* is any size)`,
  );
}

/** @returns the size of the last axis; @throws ShapeError for a scalar or a dtype other than float32. */
export function channelsOf(op: string, name: string, tensor: tf.TensorInfo): number {
  const channels = tensor.shape.at(-1);
  if (channels === undefined || tensor.dtype !== 'float32') {
    throw shapeError(op, name, `${tensor.dtype} ${describeShape(tensor.shape)}`, 'float32 [..., channels]');
  }
  return channels;
}

/** @throws ShapeError unless `values` holds exactly `count` entries. */
export function checkLength(op: string, name: string, values: { readonly length: number }, count: number): void {
  if (values.length !== count) throw shapeError(op, `the length of ${name}`, `${values.length}`, `${count}`);
}

/** @throws ShapeError unless every index is `absent` or lies in [0, bound). */
export function checkIndices(op: string, name: string, indices: Int32Array, bound: number, absent: number): void {
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i] ?? absent;
    if (index !== absent && (index < 0 || index >= bound)) {
      throw shapeError(op, `${name}[${i}]`, `${index}`, `${absent} or an index from 0 to ${bound - 1}`);
    }
  }
}
