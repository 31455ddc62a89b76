import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { ModelSchema } from '../../src/model/config.js';
import { patchify } from '../../src/model/patchify.js';
import { CPU, useBackend } from '../support/backends.js';
import { randomFrames } from '../support/tiny-model.js';

describe('patchify', () => {
  useBackend(CPU);
  const { spatial, temporal } = ModelSchema.parse({});

  it.each([
    ['spatial', spatial, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
    ['temporal', temporal, [0.45, 0.45, 0.45], [0.225, 0.225, 0.225]],
  ] as const)(
    'normalises the %s branch by its checkpoint, each value next to the real one',
    (_name, branch, mean, std) => {
      expect(branch).toMatchObject({ mean, std });
      const frames = randomFrames(2, 32, 3);
      const patchSize = 8;
      const patches = tf.tidy(() => patchify(frames, 1, 1, { ...branch, patchSize }).arraySync());
      for (let y = 0; y < 32; y++) {
        for (let x = 0; x < 32; x++) {
          const patch = patches[0]?.[Math.floor(y / patchSize) * 4 + Math.floor(x / patchSize)];
          for (let c = 0; c < 3; c++) {
            const byte = frames.data[((32 + y) * 32 + x) * 3 + c] ?? Number.NaN;
            const real = (byte / 255 - (mean[c] ?? 0)) / (std[c] ?? 1);
            // No tolerance: the float32 nearest to the value in double precision.
            expect(patch?.[c * 64 + (y % patchSize) * 8 + (x % patchSize)]).toBe(Math.fround(real));
          }
        }
      }
    },
  );
});
