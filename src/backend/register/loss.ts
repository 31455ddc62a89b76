/** Linear layer and cross-entropy in one: logits exist for one chunk of rows at a time. */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../native-backend.js';
import { input, type Kernel, numberAttr, registerTable, requireFloat } from './kernel.js';
import { filled } from './unary.js';

const WORD_BYTES = 4;
const SMALLEST_CHUNK_ROWS = 16;

interface Head {
  readonly hidden: TensorInfo;
  readonly weight: TensorInfo;
  readonly labels: number;
  readonly rows: number;
  readonly channels: number;
  readonly vocabulary: number;
  readonly smoothing: number;
}

function headOf(backend: NativeBackend, inputs: NamedTensorInfoMap, attrs: NamedAttrMap): Head {
  const hidden = input(inputs, 'hidden');
  const weight = input(inputs, 'weight');
  requireFloat('MimicLinearCrossEntropy', hidden, weight);
  const [rows = 0, channels = 0] = hidden.shape;
  const [vocabulary = 0] = weight.shape;
  const labels = backend.address(input(inputs, 'labels'));
  return { hidden, weight, labels, rows, channels, vocabulary, smoothing: numberAttr(attrs, 'labelSmoothing', 0) };
}

/** Calls `use(logits, firstRow, rows)` chunk by chunk. */
function forEachChunk(
  backend: NativeBackend,
  head: Head,
  use: (logits: number, first: number, rows: number) => void,
): void {
  const { rows, channels, vocabulary } = head;
  const fitting = Math.floor(backend.device.scratchBytes / (vocabulary * WORD_BYTES));
  const chunk = Math.min(rows, Math.max(SMALLEST_CHUNK_ROWS, fitting));
  const hidden = backend.address(head.hidden);
  const weight = backend.address(head.weight);
  backend.withScratch(chunk * vocabulary * WORD_BYTES, (logits) => {
    for (let first = 0; first < rows; first += chunk) {
      const count = Math.min(chunk, rows - first);
      backend.device.gemm({
        ...SINGLE,
        transposeB: true,
        m: count,
        n: vocabulary,
        k: channels,
        a: hidden + first * channels * WORD_BYTES,
        b: weight,
        c: logits,
      });
      use(logits, first, count);
    }
  });
}

const SINGLE = {
  transposeA: false,
  transposeB: false,
  bias: 0,
  accumulate: false,
  batch: 1,
  strideA: 0,
  strideB: 0,
  strideC: 0,
};

const linearCrossEntropy: Kernel = (backend, inputs, attrs) => {
  const head = headOf(backend, inputs, attrs);
  const loss = backend.make([head.rows], 'float32');
  const lossAt = backend.address(loss);
  forEachChunk(backend, head, (logits, first, rows) => {
    const skip = first * WORD_BYTES;
    backend.device.launch(
      'cross_entropy',
      logits,
      head.labels + skip,
      lossAt + skip,
      rows,
      head.vocabulary,
      head.smoothing,
    );
  });
  return loss;
};

/** As forEachChunk, with the logits replaced by their gradients. */
function forEachGradientChunk(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  head: Head,
  use: (gradients: number, first: number, rows: number) => void,
): void {
  const dy = backend.address(input(inputs, 'dy'));
  forEachChunk(backend, head, (logits, first, rows) => {
    const skip = first * WORD_BYTES;
    backend.device.launch(
      'cross_entropy_grad',
      dy + skip,
      head.labels + skip,
      logits,
      rows,
      head.vocabulary,
      head.smoothing,
    );
    use(logits, first, rows);
  });
}

const gradHidden: Kernel = (backend, inputs, attrs) => {
  const head = headOf(backend, inputs, attrs);
  const { channels, vocabulary } = head;
  const dhidden = backend.make(head.hidden.shape, 'float32');
  const weight = backend.address(head.weight);
  const to = backend.address(dhidden);
  forEachGradientChunk(backend, inputs, head, (gradients, first, rows) => {
    const c = to + first * channels * WORD_BYTES;
    backend.device.gemm({ ...SINGLE, m: rows, n: channels, k: vocabulary, a: gradients, b: weight, c });
  });
  return dhidden;
};

const gradWeight: Kernel = (backend, inputs, attrs) => {
  const head = headOf(backend, inputs, attrs);
  const { channels, vocabulary } = head;
  if (head.rows === 0) return filled(backend, head.weight.shape, 'float32', 0);
  const dweight = backend.make(head.weight.shape, 'float32');
  const hidden = backend.address(head.hidden);
  const c = backend.address(dweight);
  forEachGradientChunk(backend, inputs, head, (gradients, first, rows) => {
    const b = hidden + first * channels * WORD_BYTES;
    const accumulate = first > 0;
    backend.device.gemm({
      ...SINGLE,
      transposeA: true,
      m: vocabulary,
      n: channels,
      k: rows,
      a: gradients,
      b,
      c,
      accumulate,
    });
  });
  return dweight;
};

export function registerLoss(backendName: string): void {
  registerTable(backendName, {
    MimicLinearCrossEntropy: linearCrossEntropy,
    MimicLinearCrossEntropyGradHidden: gradHidden,
    MimicLinearCrossEntropyGradWeight: gradWeight,
  });
}
