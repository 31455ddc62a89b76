import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { dropout } from '../../src/ops/index.js';
import { CPU, PORTABLE_BACKENDS, useBackend } from '../support/backends.js';
import { describeOp } from '../support/describe-op.js';
import { expectShapeError } from '../support/expect-shape-error.js';
import { checkLeaks } from '../support/leak-check.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 6.9e-8 (one rounded factor), backward 7.0e-8.
describeOp('dropout', opCases.dropout, { forward: 2e-7, backward: 2e-7 });

const maskOf = (size: number, rate: number, seed: number): number[] =>
  tf.tidy(() => Array.from(dropout(tf.ones([size]), { rate, seed }).dataSync(), (value) => (value === 0 ? 0 : 1)));

for (const backend of PORTABLE_BACKENDS) {
  describe(`dropout on ${backend.label}`, () => {
    useBackend(backend);
    checkLeaks();

    it('draws the mask that other backends and later versions must draw', () => {
      // From a second implementation of Philox, in Python.
      expect(maskOf(20, 0.5, 1).join('')).toBe('10110000010010001001');
    });

    it('drops the stated share: 3000 of 10000 within 3.5 standard deviations', () => {
      const dropped = maskOf(10000, 0.3, 7).filter((kept) => kept === 0).length;
      // One deviation is sqrt(10000 * 0.3 * 0.7) = 45.8; this seed drops 2962.
      expect(Math.abs(dropped - 3000)).toBeLessThan(160);
    });

    it('draws another mask for another seed', () => {
      expect(maskOf(64, 0.5, 1)).not.toEqual(maskOf(64, 0.5, 2));
    });

    it('hands its caller a tensor of its own at rate 0', () => {
      const x = tf.ones([3]);
      dropout(x, { rate: 0, seed: 1 }).dispose();
      expect(Array.from(x.dataSync())).toEqual([1, 1, 1]);
      x.dispose();
    });
  });
}

describe('dropout refuses', () => {
  useBackend(CPU);
  checkLeaks();

  it.each([1, -0.1, Number.NaN])('rate %d', (rate) => {
    tf.tidy(() =>
      expectShapeError(
        () => dropout(tf.ones([2]), { rate, seed: 1 }),
        `dropout: rate is ${rate}, expected a number from 0 up to, not including, 1`,
      ),
    );
  });
});
