import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../../src/backend/select.js';
import { Rng } from '../../../src/base/rng.js';
import { MimicChatModel, VISUAL_ID } from '../../../src/model/mimic-chat.js';
import { collate, totalWeight } from '../../../src/train/batch.js';
import { checkpointedLossAndGradients } from '../../../src/train/checkpointed-gradients.js';
import { buildStubCuda } from '../../support/cuda/build-stub.js';
import { randomVideo, tinyConfig } from '../../support/tiny-model.js';

// Measured: fp32 6.0e-7; bf16 1.9e-2, where attention rounds its probabilities and the host does not.
const TOLERANCE = { fp32: 2e-6, bf16: 4e-2 };

interface Step {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** One training step's loss and gradients, from pixels on. */
async function step(device: 'cpu' | 'cuda:0', precision: 'fp32' | 'bf16'): Promise<Step> {
  await useBackend({ backend: 'native', device, precision });
  const model = new MimicChatModel(tinyConfig({ lora: { rank: 3, alpha: 6, dropout: 0.1 } }));
  model.parameters.train(['lora', 'spatial projector', 'temporal projector', 'gated fusion', 'special tokens']);
  model.parameters.initialize(new Rng(1, 'weights'));
  const features = model.encodeFrames(randomVideo(model.config, 3));
  const visual = Array<number>(model.numVisualTokens()).fill(VISUAL_ID);
  const ids = Int32Array.from([model.vidId, ...visual, model.sepId, 3, 4, 5]);
  const labels = Int32Array.from(ids, (id, i) => (i >= ids.length - 3 ? id : -100));
  const tokens = { ids, labels, numVisual: visual.length, answerTurn: Int32Array.from(ids, () => 0) };
  const batch = collate([{ id: 'a', tokens, features }], 'token');
  const options = { labelSmoothing: 0.05, normalizer: totalWeight([batch]), dropoutSeed: 4 };
  const { loss, gradients } = checkpointedLossAndGradients(model, batch, options);
  const values = new Map([...gradients].map(([name, gradient]) => [name, gradient.dataSync<'float32'>().slice()]));
  tf.dispose([...gradients.values()]);
  features.dispose();
  model.dispose();
  return { loss, gradients: values };
}

/** Norm of the difference by the norm of what was expected, over all gradients. */
function relativeDistance(got: Step, want: Step): number {
  let [distance, norm] = [0, 0];
  for (const [name, values] of want.gradients) {
    const mine = got.gradients.get(name);
    if (mine?.length !== values.length)
      throw new Error(`${name}: got ${mine?.length} values, expected ${values.length}`);
    for (const [i, value] of values.entries()) {
      distance += ((mine[i] ?? Number.NaN) - value) ** 2;
      norm += value ** 2;
    }
  }
  return Math.sqrt(distance / norm);
}

describe('a training step of the whole model, on the CUDA layer over the stub driver', () => {
  beforeAll(async () => {
    process.env['MIMIC_CUDA_LIBS'] = (await buildStubCuda()).folder;
  }, 300_000);

  it.each(['fp32', 'bf16'] as const)(
    'equals the host device in %s',
    async (precision) => {
      const want = await step('cpu', precision);
      const got = await step('cuda:0', precision);
      expect(got.gradients.size).toBe(want.gradients.size);
      expect(Math.abs(got.loss - want.loss) / want.loss).toBeLessThan(TOLERANCE[precision]);
      expect(relativeDistance(got, want)).toBeLessThan(TOLERANCE[precision]);
    },
    300_000,
  );
});
