/** Element and row kernels as memory traffic, beside the card's copy bandwidth. Each operand counts once. */
import type { FloatStorage } from '../../../src/backend/device.js';
import { STORAGE_BYTES } from '../../../src/backend/device.js';
import { bf16Name } from '../../../src/backend/signatures.js';
import { COPY_BYTES, driverCopy } from '../copy-bandwidth.js';
import { RandomMemory } from '../random.js';
import { type SectionContext, speedRow } from '../section.js';
import { interleavedOnGpu, onGpu } from '../timing.js';

interface RowCase {
  readonly name: string;
  readonly kernel: string;
  /** Matrices of the common size that are read and written. */
  readonly streams: number;
  readonly parameters: readonly number[];
}

/** The linears' hidden size of the 8B model; several times the L2 in all. */
const SIZES = { rows: 32_768, cols: 4096 };
const QUICK_SIZES = { rows: 3, cols: 128 };
const HEAD_DIM = 128;
const ADD = 0;

function casesOf(memory: RandomMemory, storage: FloatStorage, rows: number, cols: number): RowCase[] {
  const n = rows * cols;
  const [x, y, z] = [memory.random(n, storage), memory.random(n, storage), memory.empty(n, storage)];
  const w = memory.empty(n, storage);
  const gamma = memory.random(cols, 'f32');
  const half = HEAD_DIM / 2;
  const [cosines, sines] = [memory.random(rows * half, 'f32'), memory.random(rows * half, 'f32')];
  const positions = memory.put(
    Int32Array.from({ length: rows }, (_, i) => i),
    'i32',
  );
  const shuffled = memory.put(
    Int32Array.from({ length: rows }, (_, i) => (i * 7919) % rows),
    'i32',
  );
  const eps = 1e-5;
  return [
    { name: 'add', kernel: 'arithmetic_flat', streams: 3, parameters: [ADD, x, y, z, n, 1, 1] },
    { name: 'GELU', kernel: 'gelu', streams: 2, parameters: [x, z, n] },
    { name: 'SwiGLU', kernel: 'swiglu', streams: 3, parameters: [x, y, z, n] },
    { name: 'SwiGLU gradient', kernel: 'swiglu_grad', streams: 5, parameters: [x, y, x, z, w, n] },
    { name: 'layer norm', kernel: 'layer_norm', streams: 2, parameters: [x, gamma, gamma, z, rows, cols, eps] },
    { name: 'RMS norm', kernel: 'rms_norm', streams: 2, parameters: [x, gamma, z, rows, cols, eps] },
    { name: 'add and RMS norm', kernel: 'add_rms_norm', streams: 4, parameters: [x, y, gamma, z, w, rows, cols, eps] },
    { name: 'RMS norm gradient', kernel: 'rms_norm_grad_x', streams: 3, parameters: [x, y, gamma, z, rows, cols, eps] },
    {
      name: 'RoPE',
      kernel: 'rope',
      streams: 2,
      parameters: [x, positions, cosines, sines, z, rows, cols / HEAD_DIM, half, 1],
    },
    { name: 'dropout', kernel: 'dropout', streams: 2, parameters: [x, z, n / 4, 0, 1, 2 ** 30, 1.25] },
    { name: 'gather rows', kernel: 'gather', streams: 2, parameters: [x, shuffled, z, rows, 1, rows, rows, cols] },
    { name: 'sum of squares', kernel: 'sum_squares_rows', streams: 1, parameters: [x, gamma, rows / 8, cols * 8, n] },
  ].map((one) => ({ ...one, kernel: storage === 'bf16' ? bf16Name(one.kernel) : one.kernel }));
}

/** Kernels that are f32 whatever the model is stored in: the optimizer, and the loss over a vocabulary. */
function f32Cases(memory: RandomMemory, rows: number, cols: number): RowCase[] {
  const n = (rows * cols) / 4;
  const [param, grad, m] = [memory.random(n, 'f32'), memory.random(n, 'f32'), memory.random(n, 'f32')];
  const v = memory.empty(n, 'f32');
  // A second moment is never negative.
  const square = [grad, v, n];
  const outputs = [memory.empty(n, 'f32'), memory.empty(n, 'f32'), memory.empty(n, 'f32')];
  const vocabulary = n > 2 ** 20 ? 92_553 : 61;
  const tokens = Math.floor(n / vocabulary);
  const labels = memory.put(
    Int32Array.from({ length: tokens }, (_, i) => i % vocabulary),
    'i32',
  );
  const loss = memory.random(tokens, 'f32');
  return [
    { name: 'square', kernel: 'square', streams: 2, parameters: square },
    {
      name: 'AdamW',
      kernel: 'adamw',
      streams: 7,
      parameters: [param, grad, m, v, ...outputs, n, 0.9, 0.95, 0.1, 0.05, 1e-8, 0.999, 1e-4, 1, 1],
    },
    {
      name: 'cross-entropy',
      kernel: 'cross_entropy',
      streams: 1,
      parameters: [param, labels, loss, tokens, vocabulary, 0],
    },
    {
      name: 'cross-entropy gradient',
      kernel: 'cross_entropy_grad',
      streams: 2,
      parameters: [loss, labels, param, tokens, vocabulary, 0],
    },
  ];
}

export async function rowKernels({ gpu, quick, add }: SectionContext): Promise<void> {
  const { rows, cols } = quick ? QUICK_SIZES : SIZES;
  const copy = driverCopy(gpu, quick ? 2 ** 16 : COPY_BYTES);
  const measure = async (cases: readonly RowCase[], storage: FloatStorage, elements: number) => {
    for (const { name, kernel, streams, parameters } of cases) {
      const work = () => gpu.launch(kernel, ...parameters);
      const [ms = Number.NaN, copyMs = Number.NaN] = await interleavedOnGpu([onGpu(gpu, work), copy.sample], quick);
      const bytes = streams * elements * STORAGE_BYTES[storage];
      const speeds = { ours: bytes / ms / 1e6, peer: copy.bytes / copyMs / 1e6 };
      const note = `${streams} x ${Math.round((elements * STORAGE_BYTES[storage]) / 2 ** 20)} MiB`;
      const row = { name: `kernel ${name} ${storage}`, ...speeds, unit: 'GB/s', peerName: 'driver copy', note };
      add(speedRow(row));
    }
  };
  try {
    for (const storage of ['bf16', 'f32'] as const) {
      const memory = new RandomMemory(gpu);
      const fewer = storage === 'f32' && !quick ? 2 : 1;
      await measure(casesOf(memory, storage, rows / fewer, cols), storage, (rows / fewer) * cols);
      memory.dispose();
    }
    const memory = new RandomMemory(gpu);
    await measure(f32Cases(memory, rows, cols), 'f32', (rows * cols) / 4);
    memory.dispose();
  } finally {
    copy.dispose();
  }
}
