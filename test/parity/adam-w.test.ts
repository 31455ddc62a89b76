/** Thirty steps of training against PyTorch and peft: the same losses, gradient norms and final weights. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { AdamW } from '../../src/train/optimizer.js';
import { learningRateAt, ScheduleSchema } from '../../src/train/schedule.js';
import { Trainer } from '../../src/train/trainer.js';
import { NATIVE } from '../backend/native.js';
import { useBackend } from '../support/backends.js';
import { at } from '../support/host-tensor.js';
import { type Golden, readGolden } from './goldens.js';
import { maxDifference } from './measures.js';
import { FAMILIES, mimicChatModel, setByName, setFromGolden, TRAINED } from './tiny-reference.js';
import { batchesOf, disposeBatches } from './training-batches.js';

const SettingsSchema = z.object({
  lr: z.number(),
  betas: z.tuple([z.number(), z.number()]),
  eps: z.number(),
  weight_decay: z.number(),
  max_grad_norm: z.number(),
  warmup_steps: z.int(),
  steps: z.int(),
});

describe.each(FAMILIES)('thirty steps of AdamW on MIMIC-Chat with %s', (family) => {
  useBackend(NATIVE);
  let golden: Golden;
  let model: MimicChatModel;
  beforeAll(async () => {
    golden = await readGolden(`training-${family}.safetensors`);
    model = mimicChatModel(family);
    model.parameters.train(TRAINED);
    await setByName(model.parameters, `internvl2_5-${family}`);
    await setByName(model.parameters, 'timesformer');
    setFromGolden(model.parameters, golden);
  });
  afterAll(() => model.dispose());

  it('follow the reference: decay on matrices, clipping, warm-up and cosine', () => {
    const settings = SettingsSchema.parse(golden.provenance['settings']);
    const [beta1, beta2] = settings.betas;
    const { eps, weight_decay: weightDecay, max_grad_norm: maxGradNorm } = settings;
    const optimizer = new AdamW(model.parameters.trainable(), {
      ...{ beta1, beta2, eps, weightDecay, maxGradNorm },
      setValue: (name, value) => {
        const parameter = model.parameters.get(name);
        if (parameter !== undefined) parameter.value = value;
      },
    });
    const labelSmoothing = Number(golden.provenance['label_smoothing']);
    const trainer = new Trainer(model, optimizer, { seed: 1, labelSmoothing, gradientCheckpointing: false });
    const schedule = ScheduleSchema.parse({ learningRate: settings.lr, warmupSteps: settings.warmup_steps });
    const batches = batchesOf(model, golden);

    const [losses, norms] = [golden.tensor('losses').values, golden.tensor('norms').values];
    const errors = Array.from(losses, (want, step) => {
      const rate = learningRateAt(schedule, step, settings.steps);
      const batch = batches[step % batches.length];
      if (batch === undefined) throw new RangeError('the golden holds no batch');
      const { loss, gradNorm } = trainer.step(step, [batch], rate);
      return { loss: Math.abs(loss / want - 1), norm: Math.abs(gradNorm / at(norms, step) - 1) };
    });
    disposeBatches(batches);
    optimizer.dispose();
    expect(errors).toHaveLength(30);
    // Measured, both families: losses 2.3e-7, gradient norms 9e-7, final weights 8e-7. The claim is 1e-4 for the loss; what
    // the tests allow is tighter, so that a step of the schedule or of the decay that is slightly off shows.
    expect(Math.max(...errors.map(({ loss }) => loss))).toBeLessThan(1e-5);
    expect(Math.max(...errors.map(({ norm }) => norm))).toBeLessThan(2e-5);
    const far = golden.namesBelow('end.').map((name) => {
      const value = model.parameters.get(name)?.value ?? tf.scalar(0);
      return maxDifference(
        { shape: value.shape, values: Float64Array.from(value.dataSync()) },
        golden.tensor(`end.${name}`),
      );
    });
    expect(Math.max(...far)).toBeLessThan(2e-5);
  });
});
