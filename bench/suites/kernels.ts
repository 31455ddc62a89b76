/**
 * Element and row kernels as memory traffic, beside the machine's copy bandwidth.
 *
 * Traffic counts each operand once, as it must be read or written; the peer is the C library's memcpy with as many
 * threads, its bytes counted the same way (read plus written).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Device } from '../../src/backend/device.js';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend } from '../../src/backend/select.js';
import * as ops from '../../src/ops/index.js';
import { interleaved, type Sample } from '../measure.js';
import { memcpyBandwidth } from '../memcpy.js';
import { type BenchContext, row } from '../report.js';

/** 128 MiB a tensor, four times a large last-level cache. */
const SHAPE = { rows: 16384, cols: 2048 };
const QUICK_SHAPE = { rows: 2048, cols: 2048 };
const HEAD_SIZE = 64;
const PEER_NAME = 'memcpy';
const WORD_BYTES = 4;

const NAMES = [
  ...['add', 'multiply', 'GELU', 'SwiGLU', 'layer norm', 'RMS norm', 'softmax', 'RoPE', 'dropout', 'gather rows'],
  ...['AdamW', 'cross-entropy', 'cross-entropy gradient'],
] as const;

interface KernelCase {
  readonly name: (typeof NAMES)[number];
  /** Tensors of the common size that are read and written. */
  readonly streams: number;
  readonly run: () => void;
}

const prefix = (name: string) => `kernel: ${name}`;
const drop = (x: tf.Tensor | tf.Tensor[]) => tf.dispose(x);

/** Forward kernels, each from its public op. */
function opCases(x: tf.Tensor2D, y: tf.Tensor2D): KernelCase[] {
  const [rows, cols] = x.shape;
  const [ones, zeros] = [tf.ones([cols]), tf.zeros([cols])];
  const heads = tf.reshape(x, [1, rows, cols / HEAD_SIZE, HEAD_SIZE]);
  const positions = tf.tensor(
    Int32Array.from({ length: rows }, (_, i) => i),
    [1, rows],
    'int32',
  );
  const order = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % rows);
  return [
    { name: 'add', streams: 3, run: () => drop(tf.add(x, y)) },
    { name: 'multiply', streams: 3, run: () => drop(tf.mul(x, y)) },
    { name: 'GELU', streams: 2, run: () => drop(ops.gelu(x)) },
    { name: 'SwiGLU', streams: 3, run: () => drop(ops.swiGlu(x, y)) },
    { name: 'layer norm', streams: 2, run: () => drop(ops.layerNorm(x, ones, zeros, 1e-5)) },
    { name: 'RMS norm', streams: 2, run: () => drop(ops.rmsNorm(x, ones, 1e-5)) },
    { name: 'softmax', streams: 2, run: () => drop(tf.softmax(x)) },
    { name: 'RoPE', streams: 2, run: () => drop(ops.rope(heads, positions, 1e6)) },
    { name: 'dropout', streams: 2, run: () => drop(ops.dropout(x, { rate: 0.05, seed: 1 })) },
    { name: 'gather rows', streams: 2, run: () => drop(ops.gatherRows(x, order)) },
  ];
}

/** Kernels without an op of their own size: the optimizer's update, and the loss on logits that exist already. */
function updateCases(device: Device, backend: NativeBackend, x: tf.Tensor2D, y: tf.Tensor2D): KernelCase[] {
  const [rows, cols] = x.shape;
  const [m, v] = [tf.zerosLike(x), tf.zerosLike(x)];
  const hyper = { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, step: 10, gradScale: 1 };
  const labels = tf.tensor(
    Int32Array.from({ length: rows }, (_, i) => i % cols),
    [rows],
    'int32',
  );
  const loss = tf.ones([rows]);
  const logits = tf.clone(tf.add(x, 0));
  const at = (tensor: tf.Tensor) => backend.address(tensor);
  const crossEntropy = () => device.launch('cross_entropy', at(logits), at(labels), at(loss), rows, cols, 0);
  const gradient = () => device.launch('cross_entropy_grad', at(loss), at(labels), at(logits), rows, cols, 0);
  return [
    { name: 'AdamW', streams: 7, run: () => drop(ops.adamW({ param: x, grad: y, m, v }, hyper)) },
    { name: 'cross-entropy', streams: 1, run: crossEntropy },
    { name: 'cross-entropy gradient', streams: 2, run: gradient },
  ];
}

const timed =
  (run: () => void): Sample =>
  () => {
    const started = performance.now();
    run();
    return performance.now() - started;
  };

export async function kernelRows(context: BenchContext): Promise<void> {
  if (!NAMES.some((name) => context.wants(prefix(name)))) return;
  await useBackend({ backend: 'native', threads: context.threads });
  const backend = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('the current backend is not native');
  const { rows, cols } = context.quick ? QUICK_SHAPE : SHAPE;
  const tensorBytes = rows * cols * WORD_BYTES;
  const x = tf.randomNormal([rows, cols], 0, 1, 'float32', 1) as tf.Tensor2D;
  const y = tf.randomNormal([rows, cols], 0, 1, 'float32', 2) as tf.Tensor2D;
  const copy = memcpyBandwidth(tensorBytes, context.threads);
  try {
    for (const { name, streams, run } of [...opCases(x, y), ...updateCases(backend.device, backend, x, y)]) {
      if (!context.wants(prefix(name))) continue;
      const timing = context.quick ? { repeats: 3, warmUp: 1 } : { repeats: 9, warmUp: 2 };
      const [ours = 0, theirs = 0] = await interleaved([timed(run), copy.sample], timing);
      const speeds = { ours: (streams * tensorBytes) / ours / 1e6, peer: (2 * tensorBytes) / theirs / 1e6 };
      const note = `${streams} x ${(tensorBytes / 2 ** 20).toFixed(0)} MiB`;
      context.add(row('higher', { name: prefix(name), ...speeds, peerName: PEER_NAME, unit: 'GB/s', note }));
    }
  } finally {
    copy.dispose();
    tf.engine().disposeVariables();
  }
}
