import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../src/backend/native-backend.js';
import { useBackend } from '../src/backend/select.js';
import { adamW, attention, gatherRows, layerNorm, linear, linearCrossEntropy, rmsNorm, rope, swiGlu, gelu } from '../src/ops/index.js';
const [backend = 'native', threads = '2', B_ = '24', T_ = '114', L_ = '4'] = process.argv.slice(2);
console.log(await useBackend({ backend: backend as 'native', threads: Number(threads) }));
const [B, T, L, H, C, F, V] = [Number(B_), Number(T_), Number(L_), 4, 96, 256, 600];
const D = C / H;
const P: tf.Tensor[] = [];
const w = (...s: number[]) => { P.push(tf.randomNormal(s, 0, 0.1, 'float32', P.length)); };
w(V, C);
for (let l = 0; l < L; l++) { w(C); w(3 * C, C); w(C, C); w(C); w(F, C); w(F, C); w(C, F); }
let M = P.map((p) => tf.zerosLike(p)), Vv = P.map((p) => tf.zerosLike(p));
let W = P;
const ids = Int32Array.from({ length: B * T }, (_, i) => (i * 7) % V), labels = ids.map((_, i) => (i * 11) % V);
const pos = Int32Array.from({ length: B * T }, (_, i) => i % T);
const positions = tf.tensor(pos, [B, T], 'int32');
function loss(...w: tf.Tensor[]) {
  let x = gatherRows(w[0]!, ids);
  for (let l = 0; l < L; l++) {
    const [g, qkv, o, g2, gate, up, down] = w.slice(1 + 7 * l, 8 + 7 * l) as tf.Tensor[];
    const h = tf.reshape(linear(rmsNorm(x, g!, 1e-5), qkv!), [B, T, 3 * H, D]);
    const [q, k, v] = tf.split(h, 3, 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const a = attention(rope(q, positions, 1e4), rope(k, positions, 1e4), v, { causal: true });
    x = tf.add(x, linear(tf.reshape(a, [B * T, C]), o!));
    const n = rmsNorm(x, g2!, 1e-5);
    x = tf.add(x, linear(swiGlu(linear(n, gate!), linear(n, up!)), down!));
  }
  return tf.mean(linearCrossEntropy(x, w[0]!, labels, { labelSmoothing: 0.1 }));
}
let step = 0;
function train() {
  step++;
  const grads = tf.grads(loss)(W);
  const next = W.map((param, i) => adamW({ param, grad: grads[i]!, m: M[i]!, v: Vv[i]! }, { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, step, gradScale: 1 }));
  tf.dispose([grads, W, M, Vv]);
  W = next.map((n) => n[0]); M = next.map((n) => n[1]); Vv = next.map((n) => n[2]);
}
for (let i = 0; i < 3; i++) train();
const t = performance.now(), c = process.cpuUsage();
let best = 1e9, n = 0;
while (performance.now() - t < 6000) { const s = performance.now(); train(); best = Math.min(best, performance.now() - s); n++; }
const u = process.cpuUsage(c);
const flops = 3 * 2 * B * T * (L * (4 * C * C + 3 * C * F) + 2 * V * C) ;
console.log('best step', best.toFixed(1), 'ms, mean', ((performance.now() - t) / n).toFixed(1), 'cpu', ((u.user + u.system) / 1000 / n).toFixed(1), 'ms; params GF/s', (flops / best / 1e6).toFixed(0), 'loss', tf.tidy(() => loss(...W)).dataSync()[0]);
const be: unknown = tf.backend();
if (be instanceof NativeBackend) console.log(be.device.stats(), step);
