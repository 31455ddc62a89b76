/** TimeSformer against transformers' TimesformerModel in fp32: the checkpoint's own sizes, and others. */
import { beforeAll, describe, expect, it } from 'vitest';
import { TemporalSchema } from '../../src/model/config.js';
import { ParameterStore, Scope } from '../../src/model/parameters.js';
import { TemporalEncoder } from '../../src/model/temporal-encoder.js';
import { NATIVE } from '../backend/native.js';
import { CPU, useBackend } from '../support/backends.js';
import type { HostTensor } from '../support/host-tensor.js';
import { type Golden, readGolden } from './goldens.js';
import { maxDifference } from './measures.js';
import { setByName, TEMPORAL, taken, timeFirst } from './tiny-reference.js';

/** Our tokens before pooling: pooled to as many as there are. */
async function tokensOf(golden: Golden, key: string, chunkTokens: number): Promise<HostTensor> {
  const frames = golden.frames(`frames.${key}`);
  const side = frames.height / TEMPORAL.patchSize;
  const store = new ParameterStore();
  const config = TemporalSchema.parse({ ...TEMPORAL, pool: [frames.count, side, side], chunkTokens });
  const encoder = new TemporalEncoder(new Scope(store, 'timesformer', 'temporal encoder'), config);
  const unknown = await setByName(store, 'timesformer');
  expect(unknown.sort()).toEqual(['classifier.bias', 'classifier.weight']);
  const tokens = taken(encoder.encode(frames));
  store.dispose();
  return tokens;
}

for (const backend of [NATIVE, CPU]) {
  describe(`TimeSformer on ${backend.label}`, () => {
    useBackend(backend);
    let golden: Golden;
    beforeAll(async () => {
      golden = await readGolden('timesformer.safetensors');
    });

    // Frames x side in pixels; the checkpoint's are 4 x 24. The class token is seen through the patches it attends to.
    it.each(['4x24', '1x24', '3x24', '9x24', '4x12', '4x36', '7x36'])('gives every token of %s', async (key) => {
      const want = timeFirst(golden.tensor(`tokens.${key}`), golden.frames(`frames.${key}`).count);
      const error = maxDifference(await tokensOf(golden, key, 16384), want);
      // Measured at most 1.3e-6 of values up to 3.
      expect(error).toBeLessThan(1e-5);
    });

    it('gives them in chunks too', async () => {
      const want = timeFirst(golden.tensor('tokens.7x36'), 7);
      expect(maxDifference(await tokensOf(golden, '7x36', 40), want)).toBeLessThan(1e-5);
    });
  });
}
