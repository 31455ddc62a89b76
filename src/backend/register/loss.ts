/** Linear layer and cross-entropy in one: logits exist for one chunk of rows at a time. */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import { type FloatStorage, STORAGE_BYTES } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import { commonStorage, input, type Kernel, numberAttr, registerTable, requireFloat } from './kernel.js';
import { filled } from './unary.js';

const WORD_BYTES = 4;
const SMALLEST_CHUNK_ROWS = 16;

interface Head {
  readonly storage: FloatStorage;
  readonly hidden: TensorInfo;
  readonly weight: TensorInfo;
  readonly labels: number;
  readonly rows: number;
  readonly channels: number;
  readonly vocabulary: number;
  readonly smoothing: number;
}

/** Runs `use` with hidden states and weight in one storage. */
function withHead<T>(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  use: (head: Head) => T,
): T {
  const given = [input(inputs, 'hidden'), input(inputs, 'weight')] as const;
  requireFloat('MimicLinearCrossEntropy', ...given);
  const storage = commonStorage(backend, ...given);
  const [rows = 0, channels = 0] = given[0].shape;
  const [vocabulary = 0] = given[1].shape;
  const labels = backend.address(input(inputs, 'labels'));
  const smoothing = numberAttr(attrs, 'labelSmoothing', 0);
  return backend.withStorage(given[0], storage, (hidden) =>
    backend.withStorage(given[1], storage, (weight) =>
      use({ storage, hidden, weight, labels, rows, channels, vocabulary, smoothing }),
    ),
  );
}

const SINGLE = {
  transposeA: false,
  transposeB: false,
  bias: 0,
  scale: 1,
  accumulate: false,
  activation: 'none',
  batch: 1,
  strideA: 0,
  strideB: 0,
  strideC: 0,
} as const;

/** Rows whose f32 logits, beside their bf16 copy where there is one, fit into the device's scratch. */
function chunkRows(backend: NativeBackend, { rows, vocabulary, storage }: Head): number {
  const rowBytes = vocabulary * (WORD_BYTES + (storage === 'bf16' ? STORAGE_BYTES.bf16 : 0));
  return Math.min(rows, Math.max(SMALLEST_CHUNK_ROWS, Math.floor(backend.device.scratchBytes / rowBytes)));
}

/** Calls `use(logits, firstRow, rows)` chunk by chunk; the logits are f32. */
function forEachChunk(
  backend: NativeBackend,
  head: Head,
  use: (logits: number, first: number, rows: number) => void,
): void {
  const { rows, channels, vocabulary, storage } = head;
  const chunk = chunkRows(backend, head);
  const hidden = backend.address(head.hidden);
  const weight = backend.address(head.weight);
  backend.withScratch(chunk * vocabulary * WORD_BYTES, (logits) => {
    for (let first = 0; first < rows; first += chunk) {
      const count = Math.min(chunk, rows - first);
      backend.device.gemm({
        ...SINGLE,
        storage,
        resultStorage: 'f32',
        transposeB: true,
        m: count,
        n: vocabulary,
        k: channels,
        a: hidden + first * channels * STORAGE_BYTES[storage],
        b: weight,
        c: logits,
      });
      use(logits, first, count);
    }
  });
}

const linearCrossEntropy: Kernel = (backend, inputs, attrs) =>
  withHead(backend, inputs, attrs, (head) => {
    const { labels, rows, vocabulary, smoothing } = head;
    const loss = backend.make([rows], 'float32');
    const to = backend.address(loss);
    forEachChunk(backend, head, (logits, first, count) => {
      const skip = first * WORD_BYTES;
      backend.device.launch('cross_entropy', logits, labels + skip, to + skip, count, vocabulary, smoothing);
    });
    return loss;
  });

/** As forEachChunk, with the gradients of the logits, in the head's storage. */
function forEachGradientChunk(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  head: Head,
  use: (gradients: number, first: number, rows: number) => void,
): void {
  const { labels, vocabulary, smoothing, storage } = head;
  const { device } = backend;
  const dy = backend.address(input(inputs, 'dy'));
  const narrowBytes = storage === 'bf16' ? chunkRows(backend, head) * vocabulary * STORAGE_BYTES.bf16 : 0;
  backend.withScratch(narrowBytes, (narrow) => {
    forEachChunk(backend, head, (logits, first, count) => {
      const skip = first * WORD_BYTES;
      device.launch('cross_entropy_grad', dy + skip, labels + skip, logits, count, vocabulary, smoothing);
      if (storage === 'bf16') device.launch('f32_to_bf16', logits, narrow, count * vocabulary);
      use(storage === 'bf16' ? narrow : logits, first, count);
    });
  });
}

const gradHidden: Kernel = (backend, inputs, attrs) =>
  withHead(backend, inputs, attrs, (head) => {
    const { channels, vocabulary, storage } = head;
    const dhidden = backend.make(head.hidden.shape, 'float32', storage);
    const b = backend.address(head.weight);
    const to = backend.address(dhidden);
    forEachGradientChunk(backend, inputs, head, (a, first, rows) => {
      const c = to + first * channels * STORAGE_BYTES[storage];
      backend.device.gemm({ ...SINGLE, storage, resultStorage: storage, m: rows, n: channels, k: vocabulary, a, b, c });
    });
    return dhidden;
  });

const gradWeight: Kernel = (backend, inputs, attrs) =>
  withHead(backend, inputs, attrs, (head) => {
    const { channels, vocabulary, storage } = head;
    if (head.rows === 0) return filled(backend, head.weight.shape, 'float32', 0);
    const dweight = backend.make(head.weight.shape, 'float32');
    const hidden = backend.address(head.hidden);
    const c = backend.address(dweight);
    forEachGradientChunk(backend, inputs, head, (a, first, rows) => {
      backend.device.gemm({
        ...SINGLE,
        storage,
        resultStorage: 'f32',
        transposeA: true,
        m: vocabulary,
        n: channels,
        k: rows,
        a,
        b: hidden + first * channels * STORAGE_BYTES[storage],
        c,
        accumulate: first > 0,
      });
    });
    return dweight;
  });

export function registerLoss(backendName: string): void {
  registerTable(backendName, {
    MimicLinearCrossEntropy: linearCrossEntropy,
    MimicLinearCrossEntropyGradHidden: gradHidden,
    MimicLinearCrossEntropyGradWeight: gradWeight,
  });
}
