/** Rotary embedding against transformers' tables of cosines and sines, up to the longest position. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { rope } from '../../src/ops/index.js';
import { NATIVE } from '../backend/native.js';
import { CPU, useBackend } from '../support/backends.js';
import { type Golden, readGolden } from './goldens.js';
import { maxDifference } from './measures.js';
import { taken } from './tiny-reference.js';

for (const backend of [NATIVE, CPU]) {
  describe(`rope on ${backend.label}`, () => {
    useBackend(backend);
    let golden: Golden;
    beforeAll(async () => {
      golden = await readGolden('rope.safetensors');
    });

    it.each([64, 128])('turns by the angles of the reference, head size %i', (size) => {
      const positions = golden.ids('positions');
      // A pair (1, 0) turns into its cosine and sine.
      const turned = tf.tidy(() => {
        const ones = tf.ones([1, positions.length, 1, size / 2]);
        return rope(tf.concat([ones, tf.zerosLike(ones)], 3), positions, Number(golden.provenance['theta']));
      });
      // Measured 6e-8 for 64 and 9.5e-7 for 128, where PyTorch's power is a bit off; exact angles would be 1.2e-3 off.
      const error = maxDifference(taken(turned, [positions.length, size]), golden.tensor(`cos_sin.${size}`));
      expect(error).toBeLessThan(3e-6);
    });
  });
}
