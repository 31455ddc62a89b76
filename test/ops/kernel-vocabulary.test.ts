import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { CPU, useBackend } from '../support/backends.js';
import { toDevice } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';
import { stockGradientCases } from '../support/stock-gradient-cases.js';
import { STOCK_KERNELS } from '../support/stock-kernels.js';

/** Kernels run by an op forward and backward; scopes of TF.js's own custom gradients carry a name in lower case. */
async function kernelsOf(inputs: tf.Tensor[], op: (...tensors: tf.Tensor[]) => tf.Tensor): Promise<string[]> {
  const profile = await tf.profile(() => {
    tf.dispose(tf.grads(op)(inputs));
    return [];
  });
  return profile.kernelNames.filter((name) => /^_?[A-Z]/.test(name));
}

describe('a backend needs no stock kernel beyond the listed ones', () => {
  useBackend(CPU);
  checkLeaks();
  const cases = [
    ...Object.entries(opCases).flatMap(([op, list]) => list.map((opCase) => ({ ...opCase, of: op }))),
    ...stockGradientCases.map((stockCase) => ({ ...stockCase, of: stockCase.kernel })),
  ];

  for (const { of, name, inputs, op } of cases) {
    it(`for ${of}: ${name}`, async () => {
      const tensors = inputs.map(toDevice);
      const used = await kernelsOf(tensors, op);
      expect(used.length).toBeGreaterThan(0);
      expect(used.filter((kernel) => !STOCK_KERNELS.includes(kernel))).toEqual([]);
      tf.dispose(tensors);
    });
  }
});
