/** What the peer trains on, in files: the run's start weights, and every step's tokens and videos in the order of our plan. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loraTargets } from '../../src/model/language-family.js';
import { writeSafetensors } from '../../src/model/weights/safetensors.js';
import { collate } from '../../src/train/batch.js';
import type { RunConfig } from '../../src/train/config.js';
import { prepareRun } from '../../src/train/prepare-run.js';
import { learningRateAt } from '../../src/train/schedule.js';

/** Tokens are ready for the peer: tokenizing costs us time that it is spared. */
export async function writePlan(config: RunConfig, dir: string): Promise<void> {
  const frames = () => Promise.reject(new Error('a plan needs no frames'));
  const run = await prepareRun(config, frames, false);
  try {
    const { model, data, plan, totalSteps } = run;
    const entries = model.parameters.list().map(({ name, shape, value }) => ({
      name,
      dtype: 'F32' as const,
      shape,
      data: () => value.dataSync<'float32'>(),
    }));
    await writeSafetensors(join(dir, 'model.safetensors'), entries);
    const steps = Array.from({ length: totalSteps }, (_, step) => {
      const { epoch } = plan.position(step);
      const samples = plan.batchesOf(step).flatMap((batch) => Array.from(batch, (record) => data.draw(epoch, record)));
      const plain = samples.map(({ id, tokens }) => ({ id, tokens, features: null }));
      const { ids, batch, length, rows, labels, weights } = collate(plain, config.train.lossReduction);
      return {
        videos: samples.map(({ video }) => video),
        ...{ batch, length, ids: [...ids], rows: [...rows], labels: [...labels], weights: [...weights] },
        learningRate: learningRateAt(config.train, step, totalSteps),
      };
    });
    const { beta1, beta2, eps, weightDecay, maxGradNorm, loraLearningRateScale } = config.train;
    const optimizer = { beta1, beta2, eps, weightDecay, maxGradNorm, loraLearningRateScale };
    const trained = model.parameters.trainable().map(({ name }) => name);
    const sampling = {
      ...config.video,
      size: config.model.spatial.imageSize,
      numFrames: config.model.spatial.numFrames,
    };
    const { lora, language } = config.model;
    const adapters = { ...lora, targets: loraTargets(language.family, lora.targets) };
    const file = { model: { ...config.model, lora: adapters }, sampling, optimizer, trained, steps };
    await writeFile(join(dir, 'plan.json'), JSON.stringify(file));
  } finally {
    run.dispose();
  }
}
