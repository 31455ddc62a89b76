import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { type MimicChatModel, VISUAL_ID } from '../../src/model/mimic-chat.js';
import type { Part } from '../../src/model/parameters.js';
import { type Batch, collate, totalWeight } from '../../src/train/batch.js';
import { disposeGradients, lossAndGradients } from '../../src/train/gradients.js';
import { languageLoss } from '../../src/train/language-loss.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { randomVideo, tinyModel } from '../support/tiny-model.js';

/** Two samples of different length about two videos, answers supervised. */
function makeBatch(model: MimicChatModel): Batch {
  const visual = new Array<number>(model.numVisualTokens()).fill(VISUAL_ID);
  const sample = (seed: number, text: number[], supervised: number) => {
    const ids = Int32Array.from([model.vidId, ...visual, model.sepId, ...text]);
    const labels = Int32Array.from(ids, (id, i) => (i >= ids.length - supervised ? id : -100));
    const answerTurn = Int32Array.from(labels, (label) => (label === -100 ? -1 : 0));
    const features = model.encodeFrames(randomVideo(model.config, seed));
    return { id: `s${seed}`, tokens: { ids, labels, numVisual: visual.length, answerTurn }, features };
  };
  return collate([sample(1, [4, 8, 15, 2], 2), sample(2, [16, 3, 9, 9, 1, 6], 3)], 'token');
}

const TRAINED: Part[] = [
  'spatial projector',
  'temporal projector',
  'gated fusion',
  'positions',
  'special tokens',
  'lora',
];

describe('language loss', () => {
  useBackend(CPU);
  checkLeaks();

  it('has gradients that agree with finite differences for everything that MIMIC tuning trains', () => {
    const model = tinyModel();
    // LoRA's B and the gates start at zero, where some gradients vanish: start from random values instead.
    const rng = new Rng(9, 'perturb');
    for (const parameter of model.parameters.list()) {
      if (parameter.init.kind === 'normal' || parameter.part === 'language model') continue;
      const values = Float32Array.from({ length: parameter.size }, () => 0.3 * rng.normal());
      parameter.value = tf.tensor(values, [...parameter.shape]);
    }
    model.parameters.train(TRAINED);
    const batch = makeBatch(model);
    const options = { labelSmoothing: 0.1, normalizer: totalWeight([batch]) };
    const lossValue = () => tf.tidy(() => languageLoss(model, batch, options).dataSync()[0] ?? Number.NaN);
    const { gradients } = lossAndGradients(model.parameters.trainable(), () => languageLoss(model, batch, options));
    const errors: Record<string, number> = {};
    for (const part of TRAINED) {
      const parameters = model.parameters.trainable().filter((parameter) => parameter.part === part);
      const start = parameters.map(({ value }) => Float32Array.from(value.dataSync()));
      // Along the gradient itself the derivative is its norm: large against float32 rounding of the loss.
      const direction = parameters.map(({ name }) => Float32Array.from(gradients.get(name)?.dataSync() ?? []));
      const norm = Math.sqrt(direction.reduce((sum, d) => sum + d.reduce((s, x) => s + x * x, 0), 0));
      const step = 0.003;
      const at = (sign: number) => {
        for (const [i, parameter] of parameters.entries()) {
          const moved = (start[i] ?? new Float32Array()).map(
            (x, j) => x + (sign * step * (direction[i]?.[j] ?? 0)) / norm,
          );
          parameter.value = tf.tensor(moved, [...parameter.shape]);
        }
        return lossValue();
      };
      const slope = (at(1) - at(-1)) / (2 * step);
      at(0);
      errors[part] = Math.abs(slope - norm) / norm;
    }
    for (const [part, error] of Object.entries(errors)) expect(error, part).toBeLessThan(TOLERANCE);
    disposeGradients(gradients);
    for (const features of batch.features) features.dispose();
    model.dispose();
  });

  it('gives frozen parameters no gradient', () => {
    const model = tinyModel();
    model.parameters.train(['lora']);
    const batch = makeBatch(model);
    const options = { labelSmoothing: 0, normalizer: 1 };
    const { gradients } = lossAndGradients(model.parameters.trainable(), () => languageLoss(model, batch, options));
    expect([...gradients.keys()].every((name) => name.includes('lora_'))).toBe(true);
    expect(gradients.size).toBe(8);
    disposeGradients(gradients);
    for (const features of batch.features) features.dispose();
    model.dispose();
  });
});

/** Relative; measured at most 6.5e-4: the difference's curvature at its step, and float32 rounding of the loss. */
const TOLERANCE = 2e-3;
