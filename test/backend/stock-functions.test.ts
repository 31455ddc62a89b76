/** Stock kernels that the model itself does not need: the functions of ordinary TF.js programs. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AgreementCase, bools, describeAgreement, floats, given, ints } from './agreement.js';
import { NATIVE } from './native.js';

const FUNCTIONS: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  ceil: tf.ceil,
  round: tf.round,
  clipByValue: (x) => tf.clipByValue(x, -0.5, 0.75),
  relu6: tf.relu6,
  leakyRelu: (x) => tf.leakyRelu(x, 0.3),
  elu: tf.elu,
  selu: tf.selu,
  softplus: tf.softplus,
  expm1: tf.expm1,
  log1p: tf.log1p,
  tan: tf.tan,
  asin: tf.asin,
  acos: tf.acos,
  atan: tf.atan,
  sinh: tf.sinh,
  cosh: tf.cosh,
  asinh: tf.asinh,
  acosh: tf.acosh,
  atanh: tf.atanh,
  isInf: tf.isInf,
};

/** Ties of rounding, both zeros, the ends of domains, what overflows and what underflows; NaN and infinities. */
const SPECIAL = given(
  [21],
  [0, -0, 0.5, -0.5, 1.5, 2.5, -2.5, 1, -1, 6, 7, 1e-8, -1e-8, 20, -20, 80, -80, 100, NaN, Infinity, -Infinity],
);

const unaryCases: AgreementCase[] = Object.entries(FUNCTIONS).flatMap(([name, f]) => [
  { name: `${name} of special values`, inputs: [SPECIAL], op: f },
  { name: `${name} [3, 1, 37]`, inputs: [floats(3, 1, 37)], op: f },
  { name: `${name} [0]`, inputs: [floats(0)], op: f },
]);
const OF_INTEGERS = { round: tf.round, relu6: tf.relu6, sign: tf.sign, step: tf.step, exp: tf.exp };
const integerCases: AgreementCase[] = Object.entries(OF_INTEGERS).map(([name, f]) => ({
  name: `${name} of int32`,
  inputs: [ints(-9, 10, 4, 5)],
  op: (x) => f(x),
}));

// Measured: 1.1e-7, against the cpu backend's float64 rounded once; room for other machines' libm.
describeAgreement('stock functions', 3e-7, [...unaryCases, ...integerCases]);

const matrices = [ints(-9, 10, 3, 4, 5), ints(-9, 10, 3, 5, 2)];
const [a, b, c] = [floats(2, 3, 4), floats(4), floats(2, 1, 4)];

// Measured: at most 1.1e-7.
describeAgreement('stock kernels of several operands', 3e-7, [
  { name: 'atan2, broadcast', inputs: [a, b], op: (y, x) => tf.atan2(y, x) },
  { name: 'atan2 around zero', inputs: [given([4], [0, -0, 0, -0]), given([4], [1, 1, -1, -1])], op: tf.atan2 },
  { name: 'prelu, broadcast', inputs: [a, c], op: (x, alpha) => tf.prelu(x, alpha) },
  { name: 'prelu of int32', inputs: [ints(-9, 9, 5), floats(5)], op: (x, alpha) => tf.prelu(x, alpha) },
  { name: 'int32 matMul', inputs: matrices, op: (x, y) => tf.matMul(x, y) },
  {
    name: 'int32 matMul, both transposed, one batch shared',
    inputs: [ints(-9, 10, 1, 4, 3), ints(-9, 10, 2, 5, 4)],
    op: (x, y) => tf.matMul(x, y, true, true),
  },
  {
    name: 'int32 matMul beyond 2^24',
    inputs: [given([1, 2], [40_009, 3], 'int32'), given([2, 1], [40_009, 1], 'int32')],
    op: (x, y) => tf.matMul(x, y),
  },
  { name: 'int32 matMul of nothing', inputs: [ints(0, 9, 2, 0), ints(0, 9, 0, 3)], op: (x, y) => tf.matMul(x, y) },
  { name: 'cumprod, exclusive, reverse', inputs: [a], op: (x) => tf.cumprod(x, 1, true, true) },
  { name: 'cumprod of int32', inputs: [ints(-3, 4, 3, 6)], op: (x) => tf.cumprod(x, 0) },
  { name: 'all and any', inputs: [bools(3, 4, 2)], op: (x) => [tf.all(x, [0, 2]), tf.any(x, 1, true), tf.all(x)] },
  { name: 'mean of int32 and of bool', inputs: [ints(-9, 10, 7), bools(7)], op: (x, y) => [tf.mean(x), tf.mean(y)] },
  { name: 'gatherND', inputs: [a, given([2, 2], [1, 2, 0, 0], 'int32')], op: (x, i) => tf.gatherND(x, i) },
  {
    name: 'gatherND of int32, whole tuples',
    inputs: [ints(0, 99, 3, 4), given([2, 1, 2], [2, 3, 0, 1], 'int32')],
    op: (x, i) => tf.gatherND(x, i),
  },
  {
    name: 'scatterND of int32',
    inputs: [given([3, 1], [4, 0, 4], 'int32'), ints(0, 99, 3, 2)],
    op: (i, x) => tf.scatterND(i, x, [5, 2]),
  },
  { name: 'linspace', inputs: [], op: () => [tf.linspace(-1, 2, 7), tf.linspace(3, 5, 1)] },
  { name: 'reverse of every axis', inputs: [a], op: (x) => tf.reverse(x) },
]);

describe('stock kernels', () => {
  beforeAll(async () => {
    await tf.setBackend(NATIVE.name);
  });

  const refuse = (f: () => tf.Tensor, expected: RegExp) => {
    tf.tidy(() => {
      expect(f).toThrow(expected);
    });
  };

  it('find all of nothing true and any of nothing false', () => {
    const [all, any] = tf.tidy(() => {
      const none = tf.zeros([3, 0], 'bool');
      return [tf.all(none, 1).dataSync(), tf.any(none, 1).dataSync()];
    });
    expect([...all, ...any]).toEqual([1, 1, 1, 0, 0, 0]);
  });

  it('refuse a concatenation that would write past its result', () => {
    refuse(() => tf.concat([tf.zeros([2, 4]), tf.zeros([6, 3])], 1), /does not match the shape of the rest/);
  });

  it('refuse indices past the end', () => {
    refuse(() => tf.gatherND(tf.zeros([2, 2]), tf.tensor2d([[2, 0]], [1, 2], 'int32')), /got index \[2,0\]/);
    refuse(() => tf.scatterND(tf.tensor2d([[-1]], [1, 1], 'int32'), tf.ones([1]), [3]), /got index \[-1\]/);
  });

  it('refuse an axis out of range, and a vector as a matrix', () => {
    refuse(() => tf.expandDims(tf.zeros([2]), -3), /got axis -3 for shape \[2\]/);
    refuse(() => tf.matMul(tf.zeros([2, 2]), tf.zeros([2])), /at least two axes/);
  });
});
