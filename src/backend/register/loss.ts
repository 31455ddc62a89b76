/** Linear layer and cross-entropy in one: logits exist for one chunk of rows at a time. */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import { type FloatStorage, STORAGE_BYTES } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import {
  commonStorage,
  flagAttr,
  input,
  type Kernel,
  numberAttr,
  registerTable,
  requireFloat,
  variant,
} from './kernel.js';
import { SINGLE } from './product.js';
import { filled } from './unary.js';

const WORD_BYTES = 4;
const SMALLEST_CHUNK_ROWS = 16;
/** Products of fewer rows lose a third of their speed on the host. */
const GOOD_CHUNK_ROWS = 256;
const MOST_CHUNK_BYTES = 256 * 2 ** 20;

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

/**
 * Rows of a chunk, the same in all but the last: as many as the device's scratch holds, but enough for products to run at
 * full speed where that takes no more than MOST_CHUNK_BYTES. A row is its f32 logits, beside their bf16 copy where there is one.
 */
function chunkRows(backend: NativeBackend, { rows, vocabulary, storage }: Head): number {
  const rowBytes = Math.max(1, vocabulary * (WORD_BYTES + (storage === 'bf16' ? STORAGE_BYTES.bf16 : 0)));
  const wanted = Math.max(GOOD_CHUNK_ROWS, Math.floor(backend.device.scratchBytes / rowBytes));
  const most = Math.max(SMALLEST_CHUNK_ROWS, Math.min(wanted, Math.floor(MOST_CHUNK_BYTES / rowBytes)));
  return Math.ceil(rows / Math.max(1, Math.ceil(rows / most)));
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
    if (flagAttr(attrs, 'keepGradient')) return lossWithGradient(backend, head);
    const { labels, rows, vocabulary, smoothing } = head;
    const loss = backend.make([rows], 'float32');
    const to = backend.address(loss);
    forEachChunk(backend, head, (logits, first, count) => {
      const skip = first * WORD_BYTES;
      backend.device.launch('cross_entropy', logits, labels + skip, to + skip, count, vocabulary, smoothing);
    });
    return loss;
  });

/** The losses, and with their data the hidden states' gradients for dy = 1: the backward pass needs no logits again. */
function lossWithGradient(backend: NativeBackend, head: Head): TensorInfo {
  const { device } = backend;
  const { labels, rows, channels, vocabulary, smoothing, storage } = head;
  const loss = backend.make([rows], 'float32');
  const to = backend.address(loss);
  const bytes = rows * channels * STORAGE_BYTES[storage];
  const kept = device.alloc(bytes);
  backend.attach(loss, { address: kept, bytes });
  withNarrow(backend, head, (narrow) =>
    forEachChunk(backend, head, (logits, first, count) => {
      const skip = first * WORD_BYTES;
      device.launch('cross_entropy_with_grad', labels + skip, logits, to + skip, count, vocabulary, smoothing);
      productWithHead(backend, head, narrow(logits, count), kept, first, count);
    }),
  );
  return loss;
}

/** Rows `first` and on of the hidden states' gradients, from those of the logits. */
function productWithHead(
  backend: NativeBackend,
  { storage, weight, channels, vocabulary }: Head,
  a: number,
  to: number,
  first: number,
  rows: number,
): void {
  const c = to + first * channels * STORAGE_BYTES[storage];
  const b = backend.address(weight);
  backend.device.gemm({ ...SINGLE, storage, resultStorage: storage, m: rows, n: channels, k: vocabulary, a, b, c });
}

/** Hands `use` a function that brings a chunk of f32 numbers to the head's storage. */
function withNarrow(
  backend: NativeBackend,
  head: Head,
  use: (narrow: (from: number, rows: number) => number) => void,
): void {
  if (head.storage === 'f32') {
    use((from) => from);
    return;
  }
  backend.withScratch(chunkRows(backend, head) * head.vocabulary * STORAGE_BYTES.bf16, (scratch) =>
    use((from, rows) => {
      backend.device.launch('f32_to_bf16', from, scratch, rows * head.vocabulary);
      return scratch;
    }),
  );
}

/** As forEachChunk, with the gradients of the logits, in the head's storage. */
function forEachGradientChunk(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  head: Head,
  use: (gradients: number, first: number, rows: number) => void,
): void {
  const { labels, vocabulary, smoothing } = head;
  const dy = backend.address(input(inputs, 'dy'));
  withNarrow(backend, head, (narrow) =>
    forEachChunk(backend, head, (logits, first, count) => {
      const skip = first * WORD_BYTES;
      backend.device.launch('cross_entropy_grad', dy + skip, labels + skip, logits, count, vocabulary, smoothing);
      use(narrow(logits, count), first, count);
    }),
  );
}

const gradHidden: Kernel = (backend, inputs, attrs) =>
  withHead(backend, inputs, attrs, (head) => {
    const { channels, storage } = head;
    const dhidden = backend.make(head.hidden.shape, 'float32', storage);
    const to = backend.address(dhidden);
    const kept = backend.attached(input(inputs, 'loss'));
    if (kept !== undefined) {
      const dy = backend.address(input(inputs, 'dy'));
      backend.device.launch(variant('scale_rows', storage), kept.address, dy, to, head.rows, channels);
      return dhidden;
    }
    forEachGradientChunk(backend, inputs, head, (a, first, rows) => productWithHead(backend, head, a, to, first, rows));
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
