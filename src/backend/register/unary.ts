/** Kernels that map each element alone, conversions between dtypes, and constants. */
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import type { Storage } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import {
  dtypeAttr,
  input,
  intsAttr,
  isFloat,
  type Kernel,
  numberAttr,
  registerTable,
  registerWidening,
  sizeOf,
  stringAttr,
  variant,
} from './kernel.js';

/** Launch names in kernels/unary.cu: of float32, and of int32 where the result stays an integer; elsewhere it is float32. */
const UNARY: Readonly<Record<string, readonly [float: string, int?: string]>> = {
  Neg: ['neg', 'neg_int'],
  Abs: ['absolute', 'absolute_int'],
  Square: ['square', 'square_int'],
  Relu: ['relu', 'relu_int'],
  Relu6: ['relu6', 'relu6_int'],
  Sign: ['sign_of', 'sign_of_int'],
  Exp: ['exponential'],
  Log: ['logarithm'],
  Sqrt: ['square_root'],
  Rsqrt: ['reciprocal_square_root'],
  Reciprocal: ['reciprocal'],
  Sigmoid: ['sigmoid'],
  Tanh: ['hyperbolic_tangent'],
  Erf: ['error_function'],
  Elu: ['elu'],
  Selu: ['selu'],
  Softplus: ['softplus'],
  Expm1: ['exponential_minus_one'],
  Log1p: ['logarithm_of_one_plus'],
  Sin: ['sine'],
  Cos: ['cosine'],
  Tan: ['tangent'],
  Asin: ['arc_sine'],
  Acos: ['arc_cosine'],
  Atan: ['arc_tangent'],
  Sinh: ['hyperbolic_sine'],
  Cosh: ['hyperbolic_cosine'],
  Asinh: ['area_sine'],
  Acosh: ['area_cosine'],
  Atanh: ['area_tangent'],
};

/** Launch names of kernels that leave an integer as it is. */
const ROUNDING: Readonly<Record<string, string>> = { Floor: 'floor_of', Ceil: 'ceiling', Round: 'round_half_even' };

const PREDICATES: Readonly<Record<string, string>> = {
  IsNan: 'is_nan',
  IsInf: 'is_infinite',
  IsFinite: 'is_finite',
};

/** A new tensor of x's shape, made by a kernel with the parameters (x, y, n, ...). */
export function map(
  backend: NativeBackend,
  kernel: string,
  x: TensorInfo,
  dtype: DataType,
  ...more: number[]
): TensorInfo {
  const y = backend.make(x.shape, dtype);
  backend.device.launch(kernel, backend.address(x), backend.address(y), sizeOf(x.shape), ...more);
  return y;
}

/** `x` in another dtype; shares the data when nothing changes. */
export function cast(backend: NativeBackend, x: TensorInfo, dtype: DataType): TensorInfo {
  if (dtype === x.dtype) return backend.share(x, x.shape);
  if (backend.storageOf(x) === 'bf16') return backend.withStorage(x, 'f32', (wide) => cast(backend, wide, dtype));
  if (dtype === 'float32') return map(backend, 'int_to_float', x, dtype);
  if (dtype === 'bool') return map(backend, isFloat(x) ? 'float_to_bool' : 'int_to_bool', x, dtype);
  if (dtype === 'int32') {
    return map(backend, isFloat(x) ? 'float_to_int' : 'int_to_bool', x, dtype);
  }
  throw new BackendError('E_DTYPE_UNSUPPORTED', `native Cast: got dtype ${dtype}, expected float32, int32 or bool`);
}

/** A new tensor full of `value`. */
export function filled(
  backend: NativeBackend,
  shape: number[],
  dtype: DataType,
  value: number,
  storage: Storage = dtype === 'float32' ? 'f32' : 'i32',
): TensorInfo {
  const y = backend.make(shape, dtype, storage);
  const kernel = storage === 'i32' ? 'fill_int' : variant('fill', storage);
  backend.device.launch(kernel, backend.address(y), sizeOf(shape), storage === 'i32' ? Math.trunc(value) : value);
  return y;
}

/** A tensor full of `value`, like the input in shape, dtype and storage. */
function filledLike(value: number): Kernel {
  return (backend, inputs) => {
    const x = input(inputs, 'x');
    return filled(backend, x.shape, x.dtype, value, backend.storageOf(x));
  };
}

/** As `map` to float32, from any dtype. */
function mapFloat(backend: NativeBackend, kernel: string, x: TensorInfo, ...more: number[]): TensorInfo {
  const float = cast(backend, x, 'float32');
  const y = map(backend, kernel, float, 'float32', ...more);
  backend.discard(float);
  return y;
}

/** @param attributes of numbers that follow x, y and n in the kernel's parameters, with their defaults */
function unary(float: string, int: string | undefined, attributes: Readonly<Record<string, number>> = {}): Kernel {
  return (backend, inputs, attrs) => {
    const x = input(inputs, 'x');
    const more = Object.entries(attributes).map(([name, fallback]) => numberAttr(attrs, name, fallback));
    if (isFloat(x) || int === undefined) return mapFloat(backend, float, x, ...more);
    return map(backend, int, x, 'int32', ...more);
  };
}

function rounding(kernel: string): Kernel {
  return (backend, inputs) => {
    const x = input(inputs, 'x');
    return isFloat(x) ? map(backend, kernel, x, 'float32') : backend.share(x, x.shape);
  };
}

function predicate(kernel: string): Kernel {
  return (backend, inputs) => {
    const float = cast(backend, input(inputs, 'x'), 'float32');
    const y = map(backend, kernel, float, 'bool');
    backend.discard(float);
    return y;
  };
}

const linSpace: Kernel = (backend, _inputs, attrs) => {
  const [start, stop, count] = [numberAttr(attrs, 'start'), numberAttr(attrs, 'stop'), numberAttr(attrs, 'num')];
  const values = Float32Array.from({ length: count }, (_, i) => start + (i * (stop - start)) / Math.max(1, count - 1));
  return { dataId: backend.write(values, [count], 'float32'), shape: [count], dtype: 'float32' };
};

const range: Kernel = (backend, _inputs, attrs) => {
  const start = numberAttr(attrs, 'start');
  const stop = numberAttr(attrs, 'stop');
  const dtype = dtypeAttr(attrs, 'dtype', 'float32');
  const given = numberAttr(attrs, 'step', 1);
  // TF.js counts down by itself when the step is left at 1.
  const step = stop < start && given === 1 ? -1 : given;
  const count = Math.max(0, Math.ceil((stop - start) / step));
  const values = dtype === 'float32' ? new Float32Array(count) : new Int32Array(count);
  for (let i = 0; i < count; i++) values[i] = start + i * step;
  return { dataId: backend.write(values, [count], dtype), shape: [count], dtype };
};

export function registerUnary(backendName: string): void {
  registerWidening(backendName, {
    ...Object.fromEntries(Object.entries(UNARY).map(([name, [float, int]]) => [name, unary(float, int)])),
    ...Object.fromEntries(Object.entries(ROUNDING).map(([name, kernel]) => [name, rounding(kernel)])),
    ...Object.fromEntries(Object.entries(PREDICATES).map(([name, kernel]) => [name, predicate(kernel)])),
    Step: unary('step', 'step_int', { alpha: 0 }),
    LeakyRelu: unary('leaky_relu', undefined, { alpha: 0.2 }),
    ClipByValue: unary('clip', 'clip_int', { clipValueMin: -Infinity, clipValueMax: Infinity }),
  });
  registerTable(backendName, {
    LogicalNot: (backend, inputs) => map(backend, 'logical_not', input(inputs, 'x'), 'bool'),
    Cast: (backend, inputs, attrs) => cast(backend, input(inputs, 'x'), dtypeAttr(attrs, 'dtype', 'float32')),
    MimicStore: (backend, inputs, attrs) =>
      backend.inStorage(input(inputs, 'x'), stringAttr(attrs, 'storage', 'f32') === 'bf16' ? 'bf16' : 'f32'),
    Fill: (backend, _inputs, attrs) =>
      filled(backend, intsAttr(attrs, 'shape'), dtypeAttr(attrs, 'dtype', 'float32'), numberAttr(attrs, 'value')),
    ZerosLike: filledLike(0),
    OnesLike: filledLike(1),
    Range: range,
    LinSpace: linSpace,
  });
}
