import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { rope } from '../../src/ops/index.js';
import { PORTABLE_BACKENDS, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { randomTensor, toDevice, toHost } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 5.3e-8, backward 7.9e-8.
describeOp('rope', opCases.rope, { forward: 2e-7, backward: 3e-7 });

for (const backend of PORTABLE_BACKENDS) {
  describe(`rope on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    it('gives products of queries and keys that depend on their distance only', () => {
      const product = (queryPosition: number, keyPosition: number): number =>
        tf.tidy(() => {
          const q = rope(toDevice(randomTensor('q', [1, 1, 1, 8])), Int32Array.of(queryPosition), 10000);
          const k = rope(toDevice(randomTensor('k', [1, 1, 1, 8])), Int32Array.of(keyPosition), 10000);
          return tf.sum(tf.mul(q, k)).dataSync()[0] ?? Number.NaN;
        });
      // Measured: 2.4e-7.
      expect(Math.abs(product(3, 1) - product(52, 50))).toBeLessThan(1e-6);
      expect(Math.abs(product(3, 1) - product(52, 51))).toBeGreaterThan(0.01);
    });

    it('takes positions from a tensor and leaves it to the caller', () => {
      const x = toDevice(randomTensor('x', [1, 2, 1, 4]));
      const positions = tf.tensor([5, 9], [1, 2], 'int32');
      const fromTensor = rope(x, positions, 100);
      const fromArray = rope(x, Int32Array.of(5, 9), 100);
      expect(toHost(fromTensor)).toEqual(toHost(fromArray));
      expect(Array.from(positions.dataSync())).toEqual([5, 9]);
      tf.dispose([x, positions, fromTensor, fromArray]);
    });

    it('refuses an odd head width and a wrong number of positions', () => {
      tf.tidy(() => {
        expectShapeError(
          () => rope(tf.zeros([1, 2, 1, 3]), Int32Array.of(0, 1), 100),
          'rope: D of x_BTHD is 3, expected an even number',
        );
        expectShapeError(
          () => rope(tf.zeros([2, 2, 1, 4]), Int32Array.of(0, 1), 100),
          'rope: the length of positions is 2, expected 4',
        );
        expectShapeError(
          () => rope(tf.zeros([2, 2, 1, 4]), tf.zeros([2, 2]), 100),
          'rope: positions is float32 [2, 2], expected int32 [2, 2] (* is any size)',
        );
        expectShapeError(
          () => rope(tf.zeros([2, 4]), Int32Array.of(0, 1), 100),
          'rope: x_BTHD is float32 [2, 4], expected float32 [*, *, *, *] (* is any size)',
        );
      });
    });
  });
}
