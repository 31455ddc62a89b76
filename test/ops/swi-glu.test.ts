import * as tf from '@tensorflow/tfjs-core';
import { describe, it } from 'vitest';
import { swiGlu } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 8.0e-8, backward 1.1e-7.
describeOp('swiGlu', opCases.swiGlu, { forward: 3e-7, backward: 4e-7 });

describe('swiGlu', () => {
  useBackend(CPU);
  checkLeaks();

  it('refuses operands of different shapes, which it would otherwise broadcast', () => {
    tf.tidy(() =>
      expectShapeError(
        () => swiGlu(tf.zeros([2, 3]), tf.zeros([1, 3])),
        'swiGlu: up is float32 [1, 3], expected float32 [2, 3] (* is any size)',
      ),
    );
  });
});
