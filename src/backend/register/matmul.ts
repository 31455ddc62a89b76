/** Matrix products. */
import { broadcast_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import type { FloatStorage, GemmProblem } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import {
  commonStorage,
  flagAttr,
  input,
  type Kernel,
  registerTable,
  registerWidening,
  requireFloat,
  sameShape,
  sizeOf,
  stringAttr,
} from './kernel.js';
import { broadcastStrides } from './layout.js';
import { materialize } from './movement.js';
import { map } from './unary.js';

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

/** Launch names of the activations that _FusedMatMul may ask for. */
const ACTIVATIONS: Readonly<Record<string, string | undefined>> = { relu: 'relu', sigmoid: 'sigmoid' };

const batchMatMul: Kernel = (backend, inputs, attrs) =>
  matMul(backend, input(inputs, 'a'), input(inputs, 'b'), {
    transposeA: flagAttr(attrs, 'transposeA'),
    transposeB: flagAttr(attrs, 'transposeB'),
  });

const fusedMatMul: Kernel = (backend, inputs, attrs) => {
  const bias = inputs['bias'];
  const b = input(inputs, 'b');
  const transposeB = flagAttr(attrs, 'transposeB');
  const n = b.shape.at(transposeB ? -2 : -1) ?? 1;
  if (bias !== undefined && sizeOf(bias.shape) !== n) {
    throw new BackendError(
      'E_MATMUL_BIAS',
      `native _FusedMatMul: got a bias of shape [${bias.shape}], expected [${n}]`,
    );
  }
  const y = matMul(backend, input(inputs, 'a'), b, { transposeA: flagAttr(attrs, 'transposeA'), transposeB, bias });
  const activation = stringAttr(attrs, 'activation', 'linear');
  if (activation === 'linear') return y;
  const kernel = ACTIVATIONS[activation];
  if (kernel === undefined) {
    throw new BackendError(
      'E_MATMUL_ACTIVATION',
      `native _FusedMatMul: got activation ${activation}, expected linear, relu or sigmoid`,
    );
  }
  const activated = map(backend, kernel, y, 'float32');
  backend.discard(y);
  return activated;
};

const linear: Kernel = (backend, inputs) =>
  matMul(backend, input(inputs, 'x'), input(inputs, 'weight'), {
    transposeA: false,
    transposeB: true,
    bias: inputs['bias'],
  });

/** dW [O, I] = dy^T x, in f32 whatever the activations are stored in. */
const linearGradWeight: Kernel = (backend, inputs) =>
  matMul(backend, input(inputs, 'dy'), input(inputs, 'x'), {
    transposeA: true,
    transposeB: false,
    resultStorage: 'f32',
  });

export function registerMatMul(backendName: string): void {
  registerTable(backendName, {
    BatchMatMul: batchMatMul,
    MimicLinear: linear,
    MimicLinearGradWeight: linearGradWeight,
  });
  registerWidening(backendName, { _FusedMatMul: fusedMatMul });
}
