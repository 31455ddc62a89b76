import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { gelu } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 1.7e-7 (the cpu backend's erf is a polynomial good to 1.5e-7), backward 8.6e-8.
describeOp('gelu', opCases.gelu, { forward: 6e-7, backward: 3e-7 });

describe('gelu', () => {
  useBackend(CPU);
  checkLeaks();

  it('is the exact form, not the tanh approximation: 0.8413447 at 1', () => {
    const y = tf.tidy(() => gelu(tf.tensor1d([1])));
    // The approximation gives 0.8411920, 1.5e-4 off; measured here 1e-7.
    expect(y.dataSync()[0]).toBeCloseTo(0.8413447, 6);
    y.dispose();
  });

  it('refuses integers', () => {
    tf.tidy(() =>
      expectShapeError(() => gelu(tf.zeros([2], 'int32')), 'gelu: x is int32 [2], expected float32 [..., channels]'),
    );
  });
});
