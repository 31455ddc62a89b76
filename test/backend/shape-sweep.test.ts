import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../src/model/weights/half.js';
import { stored } from '../../src/ops/index.js';
import { maxError } from '../support/close.js';
import { type HostTensor, hostTensor, randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { type SweepCase, sweepCases } from '../support/sweep-cases.js';
import { NATIVE } from './native.js';

interface Outcome {
  readonly value: HostTensor;
  readonly gradients: HostTensor[];
}

/** The op's result and its gradients for one random dy, on a backend; nothing is left there. */
async function run(backend: string, { inputs, op }: SweepCase, storage: 'f32' | 'bf16'): Promise<Outcome> {
  await tf.setBackend(backend);
  const before = tf.memory();
  const gradients: HostTensor[] = [];
  const value = hostValueOf(() => {
    const tensors = inputs.map(toDevice);
    const f = (...xs: tf.Tensor[]) => op(...(storage === 'bf16' ? xs.map((x) => stored(x, 'bf16')) : xs));
    const y = f(...tensors);
    const dy = toDevice(randomTensor('dy', y.shape));
    gradients.push(
      ...tf
        .engine()
        .gradients(() => f(...tensors), tensors, dy, true)
        .grads.map(toHost),
    );
    return y;
  });
  const after = tf.memory();
  expect([after.numTensors, after.numDataBuffers], backend).toEqual([before.numTensors, before.numDataBuffers]);
  return { value, gradients };
}

/** Runs `f` in a tidy and reads what it returns. */
function hostValueOf(f: () => tf.Tensor): HostTensor {
  const y = tf.tidy(f);
  const value = toHost(y);
  y.dispose();
  return value;
}

function rounded({ shape, values }: HostTensor): HostTensor {
  const out = new Float32Array(values.length);
  bfloat16ToFloat32(float32ToBfloat16(Float32Array.from(values)), out);
  return hostTensor(shape, out);
}

/** Errors of a tensor as a whole: a sum of many rounded terms is judged by its tensor's size, not by its own. */
function errorOf(got: HostTensor, want: HostTensor): number {
  expect(got.shape).toEqual(want.shape);
  const scale = Math.max(1, ...want.values.map(Math.abs));
  const scaled = (x: HostTensor) =>
    hostTensor(
      x.shape,
      x.values.map((value) => value / scale),
    );
  return maxError(scaled(got), scaled(want)).error;
}

// Measured over all cases: f32 5.6e-7 forward, 7.8e-7 backward; bf16 3.9e-3 forward (one rounding is 2.0e-3), and backward
// 7.7e-3 but for the RMS norm of narrow rows, whose gradient is a difference of close numbers, 1.6e-2.
const TOLERANCE = { f32: { forward: 2e-6, backward: 2e-6 }, bf16: { forward: 8e-3, backward: 2.5e-2 } };

for (const storage of ['f32', 'bf16'] as const) {
  for (const [op, cases] of Object.entries(sweepCases())) {
    describe(`${op} in ${storage} equals its composition on TF.js's cpu backend`, () => {
      it.each(cases)('$name', async (sweepCase) => {
        const same = storage === 'f32' ? sweepCase : { ...sweepCase, inputs: sweepCase.inputs.map(rounded) };
        const want = await run('cpu', same, 'f32');
        const got = await run(NATIVE.name, same, storage);
        expect(errorOf(got.value, want.value), 'result').toBeLessThanOrEqual(TOLERANCE[storage].forward);
        for (const [i, gradient] of want.gradients.entries()) {
          const mine = got.gradients[i];
          if (mine === undefined) throw new Error(`no gradient of input ${i}`);
          expect(errorOf(mine, gradient), `gradient of input ${i}`).toBeLessThanOrEqual(TOLERANCE[storage].backward);
        }
      });
    });
  }
}
