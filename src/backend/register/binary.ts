/** Kernels of two operands that broadcast against each other. */
import { backend_util, type DataType, type TensorInfo } from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import type { FloatStorage } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import {
  commonStorage,
  input,
  inputList,
  isFloat,
  type Kernel,
  registerTable,
  registerWidening,
  sameShape,
  sizeOf,
  variant,
} from './kernel.js';
import { broadcastStrides, collapse } from './layout.js';
import { cast } from './unary.js';

/** In the order of BinaryOp in kernels/binary.cu. */
const BINARY_OPS = [
  'Add',
  'Sub',
  'Multiply',
  'RealDiv',
  'Maximum',
  'Minimum',
  'Pow',
  'SquaredDifference',
  'FloorDiv',
  'Mod',
  'Atan2',
  'Prelu',
  'EluGrad',
] as const;

/** TF.js's names of the operands, where they are not a and b. */
const OPERANDS: Readonly<Record<string, readonly [string, string]>> = { Prelu: ['x', 'alpha'], EluGrad: ['dy', 'y'] };

/** In the order of CompareOp in kernels/binary.cu. */
const COMPARE_OPS = [
  'Equal',
  'NotEqual',
  'Greater',
  'GreaterEqual',
  'Less',
  'LessEqual',
  'LogicalAnd',
  'LogicalOr',
] as const;

interface Launches {
  readonly flat: string;
  readonly rows: string;
}
const ARITHMETIC: Launches = { flat: 'arithmetic_flat', rows: 'arithmetic_rows' };
const ARITHMETIC_INT: Launches = { flat: 'arithmetic_flat_int', rows: 'arithmetic_rows_int' };
const COMPARISON: Launches = { flat: 'comparison_flat', rows: 'comparison_rows' };
const COMPARISON_INT: Launches = { flat: 'comparison_flat_int', rows: 'comparison_rows_int' };

/** Float operands of one storage (which the result shares when it is float), or integers. */
function apply(
  backend: NativeBackend,
  launches: Launches,
  op: number,
  a: TensorInfo,
  b: TensorInfo,
  dtype: DataType,
): TensorInfo {
  const storage = dtype === 'float32' ? backend.floatStorage(a) : 'i32';
  const { device } = backend;
  const addressA = backend.address(a);
  const addressB = backend.address(b);
  const sizeA = sizeOf(a.shape);
  const sizeB = sizeOf(b.shape);
  const same = sameShape(a.shape, b.shape);
  if (same || (sizeB === 1 && b.shape.length <= a.shape.length)) {
    const y = backend.make(a.shape, dtype, storage);
    device.launch(launches.flat, op, addressA, addressB, backend.address(y), sizeA, 1, same ? 1 : 0);
    return y;
  }
  if (sizeA === 1 && a.shape.length <= b.shape.length) {
    const y = backend.make(b.shape, dtype, storage);
    device.launch(launches.flat, op, addressA, addressB, backend.address(y), sizeB, 0, 1);
    return y;
  }
  const shape = backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const y = backend.make(shape, dtype, storage);
  const layout = collapse(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)]);
  const [stridesA = [], stridesB = []] = layout.strides;
  const { rows, cols, sizes } = layout;
  device.launch(
    launches.rows,
    op,
    addressA,
    addressB,
    backend.address(y),
    rows,
    cols,
    ...sizes,
    ...stridesA,
    ...stridesB,
  );
  return y;
}

/** Runs `use` on both operands as float32. */
function asFloats(
  backend: NativeBackend,
  a: TensorInfo,
  b: TensorInfo,
  use: (a: TensorInfo, b: TensorInfo) => TensorInfo,
): TensorInfo {
  const [p, q] = [cast(backend, a, 'float32'), cast(backend, b, 'float32')];
  const y = use(p, q);
  backend.discard(p);
  backend.discard(q);
  return y;
}

const FLOAT_LAUNCHES: Readonly<Record<FloatStorage, Launches>> = {
  f32: ARITHMETIC,
  bf16: { flat: variant(ARITHMETIC.flat, 'bf16'), rows: variant(ARITHMETIC.rows, 'bf16') },
};

/** a op b, float32 or int32; both operands in bf16 when one is. */
function arithmeticOf(backend: NativeBackend, op: number, a: TensorInfo, b: TensorInfo): TensorInfo {
  if (isFloat(a) !== isFloat(b)) {
    return asFloats(backend, a, b, (p, q) => arithmeticOf(backend, op, p, q));
  }
  if (!isFloat(a)) return apply(backend, ARITHMETIC_INT, op, a, b, 'int32');
  const storage = commonStorage(backend, a, b);
  return backend.withStorage(a, storage, (p) =>
    backend.withStorage(b, storage, (q) => apply(backend, FLOAT_LAUNCHES[storage], op, p, q, 'float32')),
  );
}

function arithmetic(name: string, op: number): Kernel {
  const [nameA, nameB] = OPERANDS[name] ?? ['a', 'b'];
  return (backend, inputs) => {
    const a = input(inputs, nameA);
    const b = input(inputs, nameB);
    return arithmeticOf(backend, op, a, b);
  };
}

function comparison(op: number): Kernel {
  return (backend, inputs) => {
    const a = input(inputs, 'a');
    const b = input(inputs, 'b');
    if (isFloat(a) !== isFloat(b))
      return asFloats(backend, a, b, (p, q) => apply(backend, COMPARISON, op, p, q, 'bool'));
    return apply(backend, isFloat(a) ? COMPARISON : COMPARISON_INT, op, a, b, 'bool');
  };
}

/** a + b, float32 or int32. */
export function add(backend: NativeBackend, a: TensorInfo, b: TensorInfo): TensorInfo {
  return arithmeticOf(backend, BINARY_OPS.indexOf('Add'), a, b);
}

/** x where it is not negative, alpha * x elsewhere. */
export function prelu(backend: NativeBackend, x: TensorInfo, alpha: TensorInfo): TensorInfo {
  return arithmeticOf(backend, BINARY_OPS.indexOf('Prelu'), x, alpha);
}

const addN: Kernel = (backend, inputs) => {
  const [first, second, ...rest] = inputList(inputs);
  if (first === undefined)
    throw new BackendError('E_KERNEL_INPUT', 'native AddN: got no tensors, expected at least one');
  if (second === undefined) return backend.share(first, first.shape);
  let sum = add(backend, first, second);
  for (const term of rest) {
    const next = add(backend, sum, term);
    backend.discard(sum);
    sum = next;
  }
  return sum;
};

export function registerBinary(backendName: string): void {
  registerTable(backendName, {
    ...Object.fromEntries(BINARY_OPS.map((name, op) => [name, arithmetic(name, op)])),
    AddN: addN,
  });
  registerWidening(backendName, Object.fromEntries(COMPARE_OPS.map((name, op) => [name, comparison(op)])));
}
