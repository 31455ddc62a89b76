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

/** Launch names in kernels/unary.cu: of float32, and of int32 where the result stays an integer. */
const UNARY: Readonly<Record<string, readonly [float: string, int?: string]>> = {
  Neg: ['neg', 'neg_int'],
  Abs: ['absolute', 'absolute_int'],
  Square: ['square', 'square_int'],
  Relu: ['relu', 'relu_int'],
  Exp: ['exponential'],
  Log: ['logarithm'],
  Sqrt: ['square_root'],
  Rsqrt: ['reciprocal_square_root'],
  Reciprocal: ['reciprocal'],
  Sigmoid: ['sigmoid'],
  Tanh: ['hyperbolic_tangent'],
  Erf: ['error_function'],
  Floor: ['floor_of'],
  Sign: ['sign_of'],
  Sin: ['sine'],
  Cos: ['cosine'],
};

const PREDICATES: Readonly<Record<string, string>> = { IsNan: 'is_nan', IsFinite: 'is_finite' };

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

function unary(name: string, float: string, int: string | undefined): Kernel {
  return (backend, inputs) => {
    const x = input(inputs, 'x');
    if (isFloat(x)) return map(backend, float, x, 'float32');
    if (int !== undefined) return map(backend, int, x, 'int32');
    throw new BackendError('E_DTYPE_UNSUPPORTED', `native ${name}: got dtype ${x.dtype}, expected float32`);
  };
}

function predicate(kernel: string): Kernel {
  return (backend, inputs) => map(backend, kernel, input(inputs, 'x'), 'bool');
}

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
    ...Object.fromEntries(Object.entries(UNARY).map(([name, [float, int]]) => [name, unary(name, float, int)])),
    ...Object.fromEntries(Object.entries(PREDICATES).map(([name, kernel]) => [name, predicate(kernel)])),
    Step: (backend, inputs, attrs) =>
      map(backend, 'step', input(inputs, 'x'), 'float32', numberAttr(attrs, 'alpha', 0)),
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
  });
}
