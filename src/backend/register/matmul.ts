/** Matrix products. */
import { broadcast_util, type NamedAttrMap, type NamedTensorInfoMap, type TensorInfo } from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import type { FloatStorage, GemmProblem } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import { add, prelu } from './binary.js';
import {
  commonStorage,
  flagAttr,
  input,
  isFloat,
  type Kernel,
  numberAttr,
  registerTable,
  registerWidening,
  replaced,
  requireFloat,
  sameShape,
  sizeOf,
  stringAttr,
} from './kernel.js';
import { broadcastStrides } from './layout.js';
import { materialize } from './movement.js';
import { map } from './unary.js';

const DEFAULT_LEAK = 0.2;

interface MatMulOptions {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly bias?: TensorInfo | undefined;
  readonly activation?: GemmProblem['activation'];
  /** Default: bf16 as soon as one operand is. */
  readonly resultStorage?: FloatStorage;
}

/** An operand with its batch axes spelt out, when neither "all equal" nor "one for all" describes them. */
function withBatch(backend: NativeBackend, x: TensorInfo, batchShape: readonly number[]): TensorInfo {
  const own = x.shape.slice(0, -2);
  if (sizeOf(own) === 1 || sameShape(own, batchShape)) return backend.share(x, x.shape);
  const shape = [...batchShape, ...x.shape.slice(-2)];
  return materialize(backend, x, shape, broadcastStrides(x.shape, shape));
}

/** The sizes of op(a) op(b), checked. */
function sizesOf(a: TensorInfo, b: TensorInfo, { transposeA, transposeB }: MatMulOptions) {
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new BackendError(
      'E_MATMUL_SHAPE',
      `native matMul: got shapes [${a.shape}] and [${b.shape}], expected at least two axes`,
    );
  }
  const [rowsA = 1, colsA = 1] = a.shape.slice(-2);
  const [rowsB = 1, colsB = 1] = b.shape.slice(-2);
  const m = transposeA ? colsA : rowsA;
  const k = transposeA ? rowsA : colsA;
  const n = transposeB ? rowsB : colsB;
  if (k !== (transposeB ? colsB : rowsB)) {
    throw new BackendError(
      'E_MATMUL_SHAPE',
      `native matMul: got inner sizes ${k} and ${transposeB ? colsB : rowsB} from [${a.shape}] and [${b.shape}], expected the same`,
    );
  }
  return { m, n, k };
}

/** activation(op(a) op(b) (+ bias over the last axis)); batch axes broadcast. */
export function matMul(backend: NativeBackend, a: TensorInfo, b: TensorInfo, options: MatMulOptions): TensorInfo {
  requireFloat('matMul', a, b);
  const { transposeA, transposeB, bias, activation = 'none' } = options;
  const { n, k, ...sizes } = sizesOf(a, b, options);
  let { m } = sizes;
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batchShape = sameShape(batchA, batchB) ? batchA : broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  let batch = sizeOf(batchShape);
  const storage = commonStorage(backend, a, b);
  const resultStorage = options.resultStorage ?? storage;
  const wholeA = backend.withStorage(a, storage, (x) => withBatch(backend, x, batchShape));
  const wholeB = backend.withStorage(b, storage, (x) => withBatch(backend, x, batchShape));
  const wideBias = bias === undefined ? undefined : backend.inStorage(bias, 'f32');
  const y = backend.make([...batchShape, m, n], 'float32', resultStorage);
  const oneA = sizeOf(batchA) === 1;
  const oneB = sizeOf(batchB) === 1;
  // One B for a batch of plain A: a single taller product.
  if (batch > 1 && oneB && !oneA && !transposeA) {
    m *= batch;
    batch = 1;
  }
  backend.device.gemm({
    storage,
    resultStorage,
    transposeA,
    transposeB,
    m,
    n,
    k,
    a: backend.address(wholeA),
    b: backend.address(wholeB),
    c: backend.address(y),
    bias: wideBias === undefined ? 0 : backend.address(wideBias),
    scale: 1,
    accumulate: false,
    activation,
    batch,
    strideA: oneA ? 0 : m * k,
    strideB: oneB ? 0 : k * n,
    strideC: m * n,
  });
  for (const x of [wholeA, wholeB, wideBias]) if (x !== undefined) backend.discard(x);
  return y;
}

/** op(a) op(b) of integers; batch axes broadcast. */
function matMulInt(
  backend: NativeBackend,
  a: TensorInfo,
  b: TensorInfo,
  { transposeA, transposeB }: MatMulOptions,
): TensorInfo {
  const { m, n, k } = sizesOf(a, b, { transposeA, transposeB });
  const batchShape = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const wholeA = withBatch(backend, a, batchShape);
  const wholeB = withBatch(backend, b, batchShape);
  const y = backend.make([...batchShape, m, n], 'int32');
  const strides = (x: TensorInfo, size: number, rows: number, transposed: boolean, cols: number) => [
    sizeOf(x.shape) === size ? 0 : size,
    transposed ? 1 : cols,
    transposed ? rows : 1,
  ];
  backend.device.launch(
    'matmul_int',
    backend.address(wholeA),
    backend.address(wholeB),
    backend.address(y),
    sizeOf(batchShape) * m,
    m,
    n,
    k,
    ...strides(wholeA, m * k, m, transposeA, k),
    ...strides(wholeB, k * n, k, transposeB, n),
  );
  backend.discard(wholeA);
  backend.discard(wholeB);
  return y;
}

/** Launch names of the activations that _FusedMatMul may ask for, beside prelu, and the attribute that each takes. */
const ACTIVATIONS: Readonly<Record<string, { kernel: string; attribute?: string }>> = {
  relu: { kernel: 'relu' },
  relu6: { kernel: 'relu6' },
  sigmoid: { kernel: 'sigmoid' },
  elu: { kernel: 'elu' },
  leakyrelu: { kernel: 'leaky_relu', attribute: 'leakyreluAlpha' },
};

/** `y` after the activation of _FusedMatMul; lets go of `y`. */
function activate(backend: NativeBackend, y: TensorInfo, inputs: NamedTensorInfoMap, attrs: NamedAttrMap): TensorInfo {
  const name = stringAttr(attrs, 'activation', 'linear');
  if (name === 'linear') return y;
  if (name === 'prelu') return replaced(backend, y, prelu(backend, y, input(inputs, 'preluActivationWeights')));
  const activation = ACTIVATIONS[name];
  if (activation === undefined) {
    const known = ['linear', 'prelu', ...Object.keys(ACTIVATIONS)].join(', ');
    throw new BackendError('E_MATMUL_ACTIVATION', `native _FusedMatMul: got activation ${name}, expected ${known}`);
  }
  const { kernel, attribute } = activation;
  const more = attribute === undefined ? [] : [numberAttr(attrs, attribute, DEFAULT_LEAK)];
  return replaced(backend, y, map(backend, kernel, y, 'float32', ...more));
}

/** `y` plus a bias that broadcasts to it; lets go of `y`. */
function addBias(backend: NativeBackend, y: TensorInfo, bias: TensorInfo): TensorInfo {
  const shape = broadcast_util.assertAndGetBroadcastShape(y.shape, bias.shape);
  if (!sameShape(shape, y.shape)) {
    throw new BackendError(
      'E_MATMUL_BIAS',
      `native _FusedMatMul: got a bias of shape [${bias.shape}], expected one that broadcasts to [${y.shape}]`,
    );
  }
  return replaced(backend, y, add(backend, y, bias));
}

const batchMatMul: Kernel = (backend, inputs, attrs) => {
  const [a, b] = [input(inputs, 'a'), input(inputs, 'b')];
  const options = { transposeA: flagAttr(attrs, 'transposeA'), transposeB: flagAttr(attrs, 'transposeB') };
  return isFloat(a) || isFloat(b) ? matMul(backend, a, b, options) : matMulInt(backend, a, b, options);
};

const fusedMatMul: Kernel = (backend, inputs, attrs) => {
  const bias = inputs['bias'];
  const b = input(inputs, 'b');
  const transposeB = flagAttr(attrs, 'transposeB');
  const n = b.shape.at(transposeB ? -2 : -1) ?? 1;
  const options = { transposeA: flagAttr(attrs, 'transposeA'), transposeB };
  // The product itself adds a bias of one value a column.
  const inProduct = bias !== undefined && sizeOf(bias.shape) === n && bias.shape.at(-1) === n;
  const product = matMul(backend, input(inputs, 'a'), b, inProduct ? { ...options, bias } : options);
  const y = bias === undefined || inProduct ? product : addBias(backend, product, bias);
  return activate(backend, y, inputs, attrs);
};

export function registerMatMul(backendName: string): void {
  registerTable(backendName, { BatchMatMul: batchMatMul });
  registerWidening(backendName, { _FusedMatMul: fusedMatMul });
}
