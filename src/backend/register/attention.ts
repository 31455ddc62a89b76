/**
 * Fused attention; q, k and v are brought to one storage. Softmax statistics stay with the output's data: TF.js would fill gradients
 * for a second output.
 */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { AttentionProblem, FloatStorage } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import { commonStorage, flagAttr, input, type Kernel, numberAttr, registerTable, requireFloat } from './kernel.js';

const STATISTIC_BYTES = 4;

function problemOf(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  storage: FloatStorage,
  [q, k, v]: readonly [TensorInfo, TensorInfo, TensorInfo],
): Omit<AttentionProblem, 'o' | 'lse'> {
  const [batch = 0, queries = 0, heads = 0, headDim = 0] = q.shape;
  const [, capacity = 0, groups = 1] = k.shape;
  const { keyMask, keyCount } = inputs;
  return {
    storage,
    batch,
    queries,
    keys: numberAttr(attrs, 'keys', capacity),
    capacity,
    keyCount: keyCount === undefined ? 0 : backend.address(keyCount),
    heads,
    groups,
    headDim,
    causal: flagAttr(attrs, 'causal'),
    scale: numberAttr(attrs, 'scale', headDim ** -0.5),
    q: backend.address(q),
    k: backend.address(k),
    v: backend.address(v),
    keyMask: keyMask === undefined ? 0 : backend.address(keyMask),
  };
}

/** Runs `use` with q, k, v and the problem they pose, all in one storage. */
function withProblem<T>(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  use: (problem: Omit<AttentionProblem, 'o' | 'lse'>) => T,
): T {
  const given = [input(inputs, 'q'), input(inputs, 'k'), input(inputs, 'v')] as const;
  requireFloat('attention', ...given);
  const storage = commonStorage(backend, ...given);
  const [q, k, v] = given;
  return backend.withStorage(q, storage, (qs) =>
    backend.withStorage(k, storage, (ks) =>
      backend.withStorage(v, storage, (vs) => use(problemOf(backend, inputs, attrs, storage, [qs, ks, vs]))),
    ),
  );
}

function statisticsBytes({ batch, heads, queries }: Omit<AttentionProblem, 'o' | 'lse'>): number {
  return Math.max(1, batch * heads * queries) * STATISTIC_BYTES;
}

const attention: Kernel = (backend, inputs, attrs) =>
  withProblem(backend, inputs, attrs, (problem) => {
    const o = backend.make(input(inputs, 'q').shape, 'float32', problem.storage);
    const bytes = statisticsBytes(problem);
    const lse = backend.device.alloc(bytes);
    backend.attach(o, { address: lse, bytes });
    backend.device.attention({ ...problem, o: backend.address(o), lse });
    return o;
  });

const attentionGrad: Kernel = (backend, inputs, attrs) =>
  withProblem(backend, inputs, attrs, (problem) => {
    const { storage } = problem;
    const o = input(inputs, 'o');
    requireFloat('MimicAttentionGrad', input(inputs, 'dy'), o);
    const dy = backend.inStorage(input(inputs, 'dy'), storage);
    const gradients = [
      backend.make(input(inputs, 'q').shape, 'float32', storage),
      backend.make(input(inputs, 'k').shape, 'float32', storage),
      backend.make(input(inputs, 'v').shape, 'float32', storage),
    ];
    const [dq = 0, dk = 0, dv = 0] = gradients.map((gradient) => backend.address(gradient));
    const whole = { ...problem, dy: backend.address(dy), dq, dk, dv };
    const kept = backend.attached(o);
    if (kept !== undefined) {
      backend.device.attentionGrad({ ...whole, o: backend.address(o), lse: kept.address });
    } else {
      // `o` came another way (from a checkpoint, or a copy): run forward again for its statistics.
      const again = backend.make(o.shape, 'float32', storage);
      const forward = { o: backend.address(again), lse: 0 };
      backend.withScratch(statisticsBytes(problem), (lse) => {
        backend.device.attention({ ...problem, ...forward, lse });
        backend.device.attentionGrad({ ...whole, ...forward, lse });
      });
      backend.discard(again);
    }
    backend.discard(dy);
    return gradients;
  });

export function registerAttention(backendName: string): void {
  registerTable(backendName, { MimicAttention: attention, MimicAttentionGrad: attentionGrad });
}
