import * as tf from '@tensorflow/tfjs-core';
import { describe, it } from 'vitest';
import { gatherRows } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 0, backward 5.6e-8 (three rows added).
describeOp('gatherRows', opCases.gatherRows, { forward: 0, backward: 2e-7 });

describe('gatherRows refuses', () => {
  useBackend(CPU);
  checkLeaks();

  it('indices outside the table, naming the first', () => {
    tf.tidy(() => {
      expectShapeError(
        () => gatherRows(tf.zeros([3, 2]), Int32Array.of(0, 3, -2)),
        'gatherRows: indices[1] is 3, expected -1 or an index from 0 to 2',
      );
      expectShapeError(
        () => gatherRows(tf.zeros([3, 2]), Int32Array.of(-2)),
        'gatherRows: indices[0] is -2, expected -1 or an index from 0 to 2',
      );
    });
  });

  it('a table that is not a matrix', () => {
    tf.tidy(() =>
      expectShapeError(
        () => gatherRows(tf.zeros([3]), Int32Array.of(0)),
        'gatherRows: table_RC is float32 [3], expected float32 [*, *] (* is any size)',
      ),
    );
  });
});
