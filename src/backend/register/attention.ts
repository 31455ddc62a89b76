/** Fused attention. Softmax statistics stay with the output's data: TF.js would fill gradients for a second output. */
import type { NamedAttrMap, NamedTensorInfoMap } from '@tensorflow/tfjs-core';
import type { AttentionProblem } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import { flagAttr, input, type Kernel, numberAttr, registerTable, requireFloat } from './kernel.js';

const WORD_BYTES = 4;

function problemOf(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  o: number,
  lse: number,
): AttentionProblem {
  const [q, k, v] = [input(inputs, 'q'), input(inputs, 'k'), input(inputs, 'v')];
  requireFloat('attention', q, k, v);
  const [batch = 0, queries = 0, heads = 0, headDim = 0] = q.shape;
  const [, keys = 0, groups = 1] = k.shape;
  const keyMask = inputs['keyMask'];
  return {
    batch,
    queries,
    keys,
    heads,
    groups,
    headDim,
    causal: flagAttr(attrs, 'causal'),
    scale: numberAttr(attrs, 'scale', headDim ** -0.5),
    q: backend.address(q),
    k: backend.address(k),
    v: backend.address(v),
    keyMask: keyMask === undefined ? 0 : backend.address(keyMask),
    o,
    lse,
  };
}

function statisticsBytes({ batch, heads, queries }: AttentionProblem): number {
  return Math.max(1, batch * heads * queries) * WORD_BYTES;
}

const attention: Kernel = (backend, inputs, attrs) => {
  const o = backend.make(input(inputs, 'q').shape, 'float32');
  const problem = problemOf(backend, inputs, attrs, backend.address(o), 0);
  const bytes = statisticsBytes(problem);
  const lse = backend.device.alloc(bytes);
  backend.attach(o, { address: lse, bytes });
  backend.device.attention({ ...problem, lse });
  return o;
};

const attentionGrad: Kernel = (backend, inputs, attrs) => {
  const [q, k, v, o, dy] = [
    input(inputs, 'q'),
    input(inputs, 'k'),
    input(inputs, 'v'),
    input(inputs, 'o'),
    input(inputs, 'dy'),
  ];
  requireFloat('MimicAttentionGrad', dy, o);
  const [dq, dk, dv] = [
    backend.make(q.shape, 'float32'),
    backend.make(k.shape, 'float32'),
    backend.make(v.shape, 'float32'),
  ];
  const gradients = {
    dy: backend.address(dy),
    dq: backend.address(dq),
    dk: backend.address(dk),
    dv: backend.address(dv),
  };
  const kept = backend.attached(o);
  const problem = problemOf(backend, inputs, attrs, backend.address(o), kept?.address ?? 0);
  if (kept !== undefined) {
    backend.device.attentionGrad({ ...problem, ...gradients });
    return [dq, dk, dv];
  }
  // `o` came another way (from a checkpoint, or a copy): run forward again for its statistics.
  const bytes = statisticsBytes(problem);
  const again = backend.make(q.shape, 'float32');
  backend.withScratch(bytes, (lse) => {
    backend.device.attention({ ...problem, o: backend.address(again), lse });
    backend.device.attentionGrad({ ...problem, ...gradients, lse });
  });
  backend.discard(again);
  return [dq, dk, dv];
};

export function registerAttention(backendName: string): void {
  registerTable(backendName, { MimicAttention: attention, MimicAttentionGrad: attentionGrad });
}
