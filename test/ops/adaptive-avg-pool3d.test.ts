import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { adaptiveAvgPool3d } from '../../src/ops/index.js';
import { CPU, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 4.9e-8, backward 4.4e-8.
describeOp('adaptiveAvgPool3d', opCases.adaptiveAvgPool3d, { forward: 2e-7, backward: 2e-7 });

describe('adaptiveAvgPool3d', () => {
  useBackend(CPU);
  checkLeaks();

  it('shares the middle of five frames between two bins: 0 1 2 and 2 3 4', () => {
    tf.tidy(() => {
      const y = adaptiveAvgPool3d(tf.tensor5d([0, 1, 2, 3, 4], [1, 5, 1, 1, 1]), [2, 1, 1]);
      // Measured: exact but for the rounding of 1/3, below 1e-7.
      expect(y.dataSync()[0]).toBeCloseTo(1, 6);
      expect(y.dataSync()[1]).toBeCloseTo(3, 6);
    });
  });

  it('refuses empty axes and sizes that are not counts', () => {
    tf.tidy(() => {
      expectShapeError(
        () => adaptiveAvgPool3d(tf.zeros([1, 2, 0, 2, 3]), [1, 1, 1]),
        'adaptiveAvgPool3d: x_BTHWC is [1,2,0,2,3], expected no empty axis',
      );
      expectShapeError(
        () => adaptiveAvgPool3d(tf.zeros([1, 2, 2, 2, 3]), [1, 0, 1]),
        'adaptiveAvgPool3d: outSize is [1,0,1], expected integers from 1',
      );
      expectShapeError(
        () => adaptiveAvgPool3d(tf.zeros([2, 2]), [1, 1, 1]),
        'adaptiveAvgPool3d: x_BTHWC is float32 [2, 2], expected float32 [*, *, *, *, *] (* is any size)',
      );
    });
  });
});
