import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../src/backend/select.js';
await useBackend({ backend: 'native', threads: Number(process.argv[2] ?? 1) });
function time(name: string, bytes: number, f: () => void) {
  for (let i = 0; i < 10; i++) f();
  let best = 1e9;
  const end = performance.now() + 200;
  while (performance.now() < end) { const t = performance.now(); f(); best = Math.min(best, (performance.now() - t) * 1000); }
  console.log(name.padEnd(40), best.toFixed(1).padStart(8), 'us', (bytes / best / 1e3).toFixed(1).padStart(7), 'GB/s', ((best * 1000) / (bytes / 4)).toFixed(2), 'ns/word');
}
const k = (name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap = {}) => () => { tf.dispose(tf.engine().runKernel(name, inputs, attrs)); };
const R = 7296;
for (const C of [17, 64, 256]) {
  const x = tf.randomUniform([R, C], -1, 1), y = tf.randomUniform([R, C], -1, 1), g = tf.ones([C]), col = tf.ones([R, 1]);
  const n = R * C * 4;
  console.log('--', C);
  time('Add', 3 * n, k('Add', { a: x, b: y }));
  time('Add row', 2 * n, k('Add', { a: x, b: g }));
  time('Mul col', 2 * n, k('Multiply', { a: x, b: col }));
  time('Exp', 2 * n, k('Exp', { x }));
  time('Log', 2 * n, k('Log', { x: tf.abs(x) }));
  time('Gelu', 2 * n, k('MimicGelu', { x }));
  time('GeluGrad', 3 * n, k('MimicGeluGrad', { x, dy: y }));
  time('SwiGlu', 3 * n, k('MimicSwiGlu', { gate: x, up: y }));
  time('SwiGluGrad', 5 * n, k('MimicSwiGluGrad', { dy: x, gate: x, up: y }));
  time('LayerNorm', 2 * n, k('MimicLayerNorm', { x, gamma: g, beta: g }, { eps: 1e-5 }));
  time('LayerNormGradX', 3 * n, k('MimicLayerNormGradX', { dy: y, x, gamma: g }, { eps: 1e-5 }));
  time('LayerNormGradParams', 2 * n, k('MimicLayerNormGradParams', { dy: y, x }, { eps: 1e-5 }));
  time('RmsNorm', 2 * n, k('MimicRmsNorm', { x, gamma: g }, { eps: 1e-5 }));
  time('Softmax', 2 * n, k('Softmax', { logits: x }, { dim: 1 }));
  time('Sum 0', n, k('Sum', { x }, { axis: [0], keepDims: false }));
  time('Sum 1', n, k('Sum', { x }, { axis: [1], keepDims: false }));
  time('Sum all', n, k('Sum', { x }, { axis: [0, 1], keepDims: false }));
  time('Max 1', n, k('Max', { x }, { reductionIndices: [1], keepDims: false }));
  time('SumSquares', n, k('MimicSumSquares', { x }));
  time('Dropout', 2 * n, k('MimicDropout', { x }, { rate: 0.1, seed: 3 }));
  time('AdamW', 7 * n, k('MimicAdamW', { param: x, grad: y, m: x, v: x }, { lr: 1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, step: 1, gradScale: 1 }));
  time('Transpose 2d', 2 * n, k('Transpose', { x }, { perm: [1, 0] }));
  time('Slice cols', n, k('Slice', { x }, { begin: [0, 1], size: [R, C - 1] }));
  time('Concat cols', 4 * n, k('Concat', [x, y] as unknown as tf.NamedTensorMap, { axis: 1 }));
  if (C === 64) {
    const q = tf.reshape(x, [64, 114, 4, 16]);
    time('Transpose BTHD', 2 * n, k('Transpose', { x: q }, { perm: [0, 2, 1, 3] }));
    time('Rope', 2 * n, k('MimicRope', { x: q, positions: tf.tensor(Int32Array.from({ length: R }, (_, i) => i % 114), [64, 114], 'int32') }, { theta: 10000, inverse: false }));
    time('GatherRows', 2 * n, k('MimicGatherRows', { table: tf.ones([512, C]), indices: tf.tensor(Int32Array.from({ length: R }, (_, i) => (i * 7) % 512), [R], 'int32') }));
    time('ScatterAddRows', 2 * n, k('MimicScatterAddRows', { dy: x, indices: tf.tensor(Int32Array.from({ length: R }, (_, i) => (i * 7) % 512), [R], 'int32') }, { rows: 512 }));
    const w = tf.randomUniform([512, 64]), labels = tf.tensor(Int32Array.from({ length: R }, (_, i) => i % 512), [R], 'int32'), dy = tf.ones([R]);
    const fl = 2 * R * 512 * 64;
    time('LCE', fl, k('MimicLinearCrossEntropy', { hidden: x, weight: w, labels }, { labelSmoothing: 0.1 }));
    time('LCE gradH', fl * 2, k('MimicLinearCrossEntropyGradHidden', { dy, hidden: x, weight: w, labels }, { labelSmoothing: 0.1 }));
    time('LCE gradW', fl * 2, k('MimicLinearCrossEntropyGradWeight', { dy, hidden: x, weight: w, labels }, { labelSmoothing: 0.1 }));
  }
}
