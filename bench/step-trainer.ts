import type { MimicChatModel } from '../src/model/mimic-chat.js';
import { AdamW } from '../src/train/optimizer.js';
import { Trainer } from '../src/train/trainer.js';

/** The optimizer of every side of a comparison; peers/step_worker.py says the same. */
const OPTIMIZER = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

/** A trainer as `mimic train` makes it, over the model's trainable parameters. */
export function trainerOf(
  model: MimicChatModel,
  gradientCheckpointing: boolean,
): { trainer: Trainer; optimizer: AdamW } {
  const parameters = model.parameters.trainable();
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const optimizer = new AdamW(parameters, {
    ...OPTIMIZER,
    setValue: (name, value) => {
      const parameter = byName.get(name);
      if (parameter !== undefined) parameter.value = value;
    },
  });
  return { trainer: new Trainer(model, optimizer, { seed: 0, labelSmoothing: 0, gradientCheckpointing }), optimizer };
}
