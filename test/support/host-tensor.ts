import * as tf from '@tensorflow/tfjs-core';
import { Rng } from '../../src/base/rng.js';

/** A tensor in host memory at double precision, for formulas written as plain loops. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, length) => size * length, 1);

/** Element of an array that the caller has bounded. */
export function at(values: ArrayLike<number>, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`index ${index} outside 0..${values.length - 1}`);
  return value;
}

export function hostTensor(shape: readonly number[], values?: Iterable<number>): HostTensor {
  const data = values === undefined ? new Float64Array(sizeOf(shape)) : Float64Array.from(values);
  if (data.length !== sizeOf(shape)) throw new RangeError(`got ${data.length} values for shape [${shape.join(', ')}]`);
  return { shape, values: data };
}

/** Standard normal values that float32 holds exactly, so that a formula and an op start from the same numbers. */
export function randomTensor(label: string, shape: readonly number[], scale = 1): HostTensor {
  const rng = new Rng(20, label);
  return hostTensor(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(scale * rng.normal())),
  );
}

export function toDevice(host: HostTensor): tf.Tensor {
  return tf.tensor(Float32Array.from(host.values), [...host.shape], 'float32');
}

export function toHost(tensor: tf.Tensor): HostTensor {
  return hostTensor(tensor.shape, tensor.dataSync());
}
