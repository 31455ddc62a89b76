import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import '../../../src/ops/index.js';
import { CPU, useBackend, WASM } from '../../support/backends.js';
import { expectClose } from '../../support/close.js';
import { finiteDifference } from '../../support/finite-difference.js';
import { type HostTensor, randomTensor, toDevice, toHost } from '../../support/host-tensor.js';
import { checkLeaks } from '../../support/leak-check.js';
import { isLinearCase, type StockGradientCase, stockGradientCases } from '../../support/stock-gradient-cases.js';

/** Linear kernels: measured 8.5e-8, of rounding. Curved ones: 4.3e-5, of the difference itself (step 2^-7, float32). */
const toleranceOf = (stockCase: StockGradientCase): number => (isLinearCase(stockCase) ? 3e-7 : 1e-4);

/** The op as a function of host values. */
const onHost =
  ({ op }: StockGradientCase) =>
  (...inputs: HostTensor[]): HostTensor => {
    const output = tf.tidy(() => op(...inputs.map(toDevice)));
    const values = toHost(output);
    output.dispose();
    return values;
  };

for (const backend of [CPU, WASM]) {
  describe(`stock gradients on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    for (const stockCase of stockGradientCases) {
      it(`${stockCase.kernel} ${stockCase.name} agrees with finite differences`, () => {
        const f = onHost(stockCase);
        const dy = randomTensor('dy', f(...stockCase.inputs).shape);
        const tensors = [...stockCase.inputs, dy].map(toDevice);
        const gradients = tf.grads(stockCase.op)(tensors.slice(0, -1), tensors.at(-1));
        const expected = finiteDifference(f, stockCase.inputs, dy, stockCase.step);
        expect(gradients).toHaveLength(expected.length);
        gradients.forEach((gradient, i) => {
          const want = expected[i] ?? dy;
          expectClose(toHost(gradient), want, toleranceOf(stockCase), `gradient of input ${i}`);
        });
        tf.dispose([tensors, gradients]);
      });
    }
  });
}
