/** Functions of one element, conversions and constants. */

import { roundToBf16 } from '../bf16.js';
import {
  given,
  givenBf16,
  integers,
  type KernelBuffer,
  type KernelCall,
  normals,
  positives,
  result,
  resultBf16,
  resultInts,
  resultStored,
} from '../kernel-call.js';
import { erf, fill, sigmoid } from './math.js';
import type { Shapes } from './shapes.js';

type Map = (x: number) => number;

const FLOATS: Readonly<Record<string, Map>> = {
  neg: (x) => -x,
  absolute: Math.abs,
  exponential: Math.exp,
  reciprocal: (x) => 1 / x,
  square: (x) => x * x,
  sigmoid,
  hyperbolic_tangent: Math.tanh,
  relu: (x) => Math.max(x, 0),
  error_function: erf,
  floor_of: Math.floor,
  sign_of: Math.sign,
  sine: Math.sin,
  cosine: Math.cos,
  ceiling: Math.ceil,
  round_half_even: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  elu: (x) => (x >= 0 ? x : Math.expm1(x)),
  selu: (x) => (x >= 0 ? 1.05070099 * x : 1.75809934 * Math.expm1(x)),
  softplus: (x) => Math.log1p(Math.exp(x)),
  exponential_minus_one: Math.expm1,
  tangent: (x) => Math.tan(x),
  arc_tangent: Math.atan,
  hyperbolic_sine: Math.sinh,
  hyperbolic_cosine: Math.cosh,
  area_sine: Math.asinh,
};
const OF_POSITIVE: Readonly<Record<string, Map>> = {
  logarithm: Math.log,
  square_root: Math.sqrt,
  reciprocal_square_root: (x) => 1 / Math.sqrt(x),
  logarithm_of_one_plus: Math.log1p,
};
const OF_ONE_AND_ABOVE: Readonly<Record<string, Map>> = { area_cosine: Math.acosh };
const INSIDE_ONE: Readonly<Record<string, Map>> = {
  arc_sine: Math.asin,
  arc_cosine: Math.acos,
  area_tangent: Math.atanh,
};
const OF_INTEGERS: Readonly<Record<string, Map>> = {
  neg_int: (x) => -x,
  absolute_int: Math.abs,
  square_int: (x) => x * x,
  relu_int: (x) => Math.max(x, 0),
  logical_not: (x) => (x === 0 ? 1 : 0),
  relu6_int: (x) => Math.min(Math.max(x, 0), 6),
  sign_of_int: Math.sign,
  int_to_bool: (x) => (x !== 0 ? 1 : 0),
};
const TO_INTEGERS: Readonly<Record<string, Map>> = {
  is_nan: (x) => (Number.isNaN(x) ? 1 : 0),
  is_finite: (x) => (Number.isFinite(x) ? 1 : 0),
  is_infinite: (x) => (Math.abs(x) === Number.POSITIVE_INFINITY ? 1 : 0),
  float_to_bool: (x) => (x !== 0 ? 1 : 0),
};

/** Every seventh value is one that arithmetic breaks on. */
function withSpecials(values: Float32Array): Float32Array {
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  return values.map((value, i) => (i % 7 === 3 ? (specials[((i - 3) / 7) % 4] ?? value) : value));
}

/** Away from 0, so that a reciprocal stays comparable. */
const apart = (length: number) => normals(length).map((value) => value + Math.sign(value) * 0.1);

function callsOfLength(n: number): KernelCall[] {
  const shape = `${n}`;
  const mapped = (table: Readonly<Record<string, Map>>, values: () => Float32Array | Int32Array, ints: boolean) =>
    Object.entries(table).map(([kernel, map]): KernelCall => {
      const y = ints ? resultInts(n) : result(n);
      return { kernel, shape, args: [given(values()), y, n], expected: (x) => [fill(n, (i) => map(x[i] ?? 0))] };
    });
  const withNumbers = (kernel: string, x: KernelBuffer, y: KernelBuffer, numbers: number[], map: Map): KernelCall => ({
    kernel,
    shape,
    args: [x, y, n, ...numbers],
    expected: (values) => [fill(n, (i) => map(values[i] ?? 0))],
  });
  return [
    ...mapped(FLOATS, () => apart(n), false),
    ...mapped(OF_POSITIVE, () => positives(n), false),
    ...mapped(OF_ONE_AND_ABOVE, () => positives(n).map((x) => 1 + x), false),
    ...mapped(INSIDE_ONE, () => normals(n).map((x) => 0.9 * Math.sin(x)), false),
    ...mapped(OF_INTEGERS, () => integers(n, -9, 9), true),
    ...mapped(TO_INTEGERS, () => withSpecials(normals(n)), true),
    ...mapped({ float_to_int: Math.trunc }, () => normals(n).map((x) => 100 * x), true),
    ...mapped({ int_to_float: (x) => x }, () => integers(n, -(2 ** 24), 2 ** 24), false),
    withNumbers('step', given(withSpecials(normals(n))), result(n), [0.25], (x) =>
      x > 0 ? 1 : Number.isNaN(x) ? x : 0.25,
    ),
    withNumbers('step_int', given(integers(n, -9, 9)), resultInts(n), [3], (x) => (x > 0 ? 1 : 3)),
    withNumbers('clip', given(normals(n)), result(n), [-0.5, 0.75], (x) => Math.min(Math.max(x, -0.5), 0.75)),
    withNumbers('clip_int', given(integers(n, -9, 9)), resultInts(n), [-4, 5], (x) => Math.min(Math.max(x, -4), 5)),
    withNumbers('leaky_relu', given(normals(n)), result(n), [0.125], (x) => (x < 0 ? 0.125 * x : x)),
    {
      kernel: 'f32_to_bf16',
      shape,
      args: [given(withSpecials(normals(n))), resultBf16(n), n],
      expected: (x) => [roundToBf16(Float32Array.from(x))],
      tolerance: 0,
    },
    {
      kernel: 'bf16_to_f32',
      shape,
      args: [givenBf16(normals(n)), result(n), n],
      expected: (x) => [x],
      tolerance: 0,
    },
    { kernel: 'fill', shape, args: [resultStored(n), n, 1.5], expected: () => [fill(n, () => 1.5)], tolerance: 0 },
    { kernel: 'fill_int', shape, args: [resultInts(n), n, -7], expected: () => [fill(n, () => -7)] },
  ];
}

export function unaryCalls({ lengths }: Shapes): KernelCall[] {
  return lengths.flatMap((n) => callsOfLength(n));
}
