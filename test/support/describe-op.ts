import * as tf from '@tensorflow/tfjs-core';
import { describe, it } from 'vitest';
import { PORTABLE_BACKENDS, type TestBackend, useBackend } from './backends.js';
import { expectClose } from './close.js';
import { finiteDifference } from './finite-difference.js';
import { randomTensor, toDevice, toHost } from './host-tensor.js';
import { checkLeaks } from './leak-check.js';
import type { OpCase } from './op-cases.js';

/** Largest error allowed, by the measure of maxError. */
export interface OpTolerance {
  readonly forward: number;
  readonly backward: number;
}

/** Step in a float64 formula: truncation and rounding stay below 1e-8, far under any float32 error. */
const STEP = 1e-4;

/** Holds an op against its formula, and its gradients against finite differences of the formula. */
export function describeOp(
  op: string,
  cases: readonly OpCase[],
  tolerance: OpTolerance,
  backends: readonly TestBackend[] = PORTABLE_BACKENDS,
): void {
  for (const backend of backends)
    describe(`${op} on ${backend.label}`, () => describeCases(op, backend, cases, tolerance));
}

function describeCases(op: string, backend: TestBackend, cases: readonly OpCase[], tolerance: OpTolerance): void {
  useBackend(backend);
  checkLeaks();

  for (const { name, inputs, op: run, formula } of cases) {
    it(`equals its formula: ${name}`, () => {
      const tensors = inputs.map(toDevice);
      const output = run(...tensors);
      expectClose(toHost(output), formula(...inputs), tolerance.forward, 'output');
      tf.dispose([tensors, output]);
    });

    it(`has the gradients of its formula: ${name}`, () => {
      const dy = randomTensor('dy', formula(...inputs).shape);
      const tensors = inputs.map(toDevice);
      const dyTensor = toDevice(dy);
      const gradients = tf.grads(run)(tensors, dyTensor);
      finiteDifference(formula, inputs, dy, STEP).forEach((want, i) => {
        const gradient = gradients[i];
        if (gradient === undefined) throw new RangeError(`${op}: no gradient of input ${i}`);
        expectClose(toHost(gradient), want, tolerance.backward, `gradient of input ${i}`);
      });
      tf.dispose([tensors, dyTensor, gradients]);
    });

    it(`differentiates each input alone: ${name}`, () => {
      const tensors = inputs.map(toDevice);
      const together = tf.grads(run)(tensors);
      tensors.forEach((tensor, i) => {
        const alone = tf.grad((moved) => run(...tensors.map((other, j) => (j === i ? moved : other))))(tensor);
        const gradient = together[i];
        if (gradient === undefined) throw new RangeError(`${op}: no gradient of input ${i}`);
        expectClose(toHost(alone), toHost(gradient), 0, `gradient of input ${i} alone`);
        alone.dispose();
      });
      tf.dispose([tensors, together]);
    });
  }
}
