import { describe, it, expect } from 'vitest';
import * as tf from '@tensorflow/tfjs-core';
import '../../src/ops/index.js';
import { CPU, WASM, useBackend } from '../support/backends.js';
import { maxError } from '../support/close.js';
import { finiteDifference } from '../support/finite-difference.js';
import { randomTensor, toDevice, toHost, hostTensor, type HostTensor } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { stockGradientCases } from '../support/stock-gradient-cases.js';
const worst: Record<string, number> = {};
for (const backend of [CPU, WASM]) describe(backend.label, () => {
  useBackend(backend); checkLeaks();
  for (const c of stockGradientCases) it(`${c.kernel} ${c.name}`, () => {
    const ts = c.inputs.map(toDevice);
    const f = (...h: HostTensor[]) => { const ins = h.map(toDevice); const o = tf.tidy(() => c.op(...ins)); const r = toHost(o); tf.dispose([ins, o]); return r; };
    const dy = randomTensor('dy', f(...c.inputs).shape);
    const d = toDevice(dy);
    const gs = tf.grads(c.op)(ts, d);
    finiteDifference(f, c.inputs, dy, c.step).forEach((w, i) => { const g = gs[i]; if (!g) throw new Error(); const e = maxError(toHost(g), w).error; worst[`${backend.label} ${c.kernel} ${c.step}`] = Math.max(worst[`${backend.label} ${c.kernel} ${c.step}`] ?? 0, e); expect(g.shape).toEqual(w.shape); expect(e).toBeLessThan(1e-3); });
    tf.dispose([ts, d, gs]);
  });
  it('show', () => console.log(worst));
});
