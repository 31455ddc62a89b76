import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend } from '../../src/backend/select.js';
import { Rng } from '../../src/base/rng.js';
import { SpatialSchema, TemporalSchema } from '../../src/model/config.js';
import type { Frames } from '../../src/model/frames.js';
import { ParameterStore, Scope } from '../../src/model/parameters.js';
import { SpatialEncoder } from '../../src/model/spatial-encoder.js';
import { TemporalEncoder } from '../../src/model/temporal-encoder.js';

beforeAll(() => useBackend({ backend: 'null' }));

const SIZES = { hiddenSize: 64, intermediateSize: 256, numHeads: 4, imageSize: 112 };

const frames: Frames = {
  ...{ data: new Uint8Array(12 * 112 * 112 * 3), count: 12, height: 112, width: 112 },
  ...{ indices: new Int32Array(12), timesSec: new Float64Array(12) },
};

/** Bytes that were in use at most beyond the weights, on a backend whose earlier peaks are all smaller. */
function peakBytes(layers: number, encoder: 'spatial' | 'temporal'): number {
  const store = new ParameterStore();
  const built =
    encoder === 'spatial'
      ? new SpatialEncoder(
          new Scope(store, '', 'spatial encoder'),
          SpatialSchema.parse({ ...SIZES, numLayers: layers }),
        )
      : new TemporalEncoder(
          new Scope(store, '', 'temporal encoder'),
          TemporalSchema.parse({ ...SIZES, numLayers: layers, chunkTokens: 128 }),
        );
  store.initialize(new Rng(0));
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new Error('expected the null backend');
  const weights = backend.memory().deviceBytes;
  built.encode(frames).dispose();
  const peak = backend.memory().peakBytes - weights;
  store.dispose();
  return peak;
}

describe.each(['spatial', 'temporal'] as const)('the %s encoder', (encoder) => {
  it('needs no more memory for more blocks', () => {
    // Peaks never fall, so the larger encoder comes second; its weights are counted apart.
    const two = peakBytes(2, encoder);
    expect(peakBytes(8, encoder)).toBeLessThanOrEqual(two);
  });
});
