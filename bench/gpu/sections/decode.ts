/**
 * Decoding with the 8B model's stack, batch 1, beside the bandwidth roof: every weight is read once a token.
 *
 * Three ways: the model's own code through TF.js, the same launches without TF.js, and a recording of them replayed. The
 * latter two write the same position of the cache each time: its cost is that of any other.
 */
import * as tf from '@tensorflow/tfjs-core';
import { STORAGE_BYTES } from '../../../src/backend/device.js';
import { KvCache } from '../../../src/model/kv-cache.js';
import { copyBandwidth } from '../copy-bandwidth.js';
import { languageConfig, randomDecoder, randomTensor } from '../decoder.js';
import { DecodingStep } from '../decoding-step.js';
import { type SectionContext, speedRow } from '../section.js';
import { interleavedOnGpu, onWallClock } from '../timing.js';

const PROMPT_TOKENS = 1024;

export async function decode({ gpu, quick, add }: SectionContext): Promise<void> {
  const { language } = languageConfig(quick, quick ? 2 : 32);
  const bandwidth = await copyBandwidth(gpu, quick);
  const { decoder, store, bytesPerToken } = randomDecoder(language, null);
  const prompt = quick ? 9 : PROMPT_TOKENS;
  const { hiddenSize, numHeads, numKvHeads, numLayers } = language;
  const cacheBytes = 2 * numLayers * prompt * numKvHeads * (hiddenSize / numHeads) * STORAGE_BYTES.bf16;
  const roof = (bandwidth * 1e9) / (bytesPerToken + cacheBytes);
  const note = `${((bytesPerToken + cacheBytes) / 1e9).toFixed(2)} GB a token at ${bandwidth.toFixed(0)} GB/s, ${prompt} keys`;
  const report = async (name: string, work: () => void) => {
    const [ms = Number.NaN] = await interleavedOnGpu([onWallClock(gpu, work)], quick);
    const figures = { ours: 1000 / ms, unit: 'tokens/s', peer: roof, peerName: 'roof of the measured copy bandwidth' };
    add(speedRow({ name: `8B decoding, ${name}`, ...figures, note }));
  };

  const step = new DecodingStep(gpu, language, store, prompt, prompt + 64);
  await report('launches', () => step.run());
  const recording = gpu.record(() => step.run());
  await report('recording', () => recording.replay());
  recording.dispose();
  step.dispose();

  const cache = new KvCache();
  const token = randomTensor([1, 1, hiddenSize], 'bf16', 1) as tf.Tensor3D;
  const past = randomTensor([1, prompt, hiddenSize], 'bf16', 1) as tf.Tensor3D;
  tf.dispose(tf.tidy(() => decoder.apply(past, { cache })));
  await report('model through TF.js', () => {
    tf.dispose(
      tf.tidy(() => {
        const hidden = decoder.apply(token, { cache });
        return decoder.logits(tf.reshape(hidden, [1, hiddenSize]) as tf.Tensor2D);
      }),
    );
  });
  cache.dispose();
  tf.dispose([token, past]);
  store.dispose();
}
