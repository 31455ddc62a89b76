/**
 * A foundation stage: cosine cycles of the learning rate until the held-out accuracy passes the gate.
 *
 * Stages of the demo stand in for published checkpoints, so what counts is that each one really arrives; a fixed
 * number of steps would leave some seeds on the plateau. Accuracy jumps when the rate has fallen, so a rate held until
 * the gate would hide that the stage has arrived (both in docs/LOG.md).
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../model/parameters.js';
import { disposeGradients, lossAndGradients } from '../../train/gradients.js';
import { AdamW } from '../../train/optimizer.js';
import { learningRateAt, ScheduleSchema } from '../../train/schedule.js';

export interface StageOptions {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly learningRate: number;
  readonly beta2: number;
  readonly warmupSteps: number;
  /** Steps of a cycle, from the peak rate to its floor. */
  readonly cycleSteps: number;
  /** Cycles after which the stage ends even if the gate was not passed. */
  readonly maxCycles: number;
  readonly evaluateEvery: number;
  /** Accuracy in [0, 1] that opens the gate. */
  readonly gate: number;
  readonly loss: (step: number) => tf.Scalar;
  readonly evaluate: () => number;
  readonly onProgress?: (progress: StageProgress) => void;
}

export interface StageProgress {
  readonly stage: string;
  readonly step: number;
  readonly loss: number;
  /** Steps at most; the gate usually ends the stage earlier. */
  readonly maxSteps: number;
  readonly gate: number;
  /** Present on steps that were followed by an evaluation. */
  readonly accuracy?: number;
}

export interface StageResult {
  readonly name: string;
  readonly steps: number;
  readonly accuracy: number;
  readonly gate: number;
  readonly passed: boolean;
}

export async function runStage(options: StageOptions): Promise<StageResult> {
  const { parameters, warmupSteps, cycleSteps, maxCycles, evaluateEvery, gate } = options;
  for (const parameter of parameters) parameter.trainable = true;
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const optimizer = new AdamW(
    parameters.map(({ name, value }) => ({ name, value, decay: value.rank > 1 })),
    {
      beta1: 0.9,
      beta2: options.beta2,
      eps: 1e-8,
      weightDecay: 0.01,
      maxGradNorm: 1,
      setValue: (name, tensor) => {
        const parameter = byName.get(name);
        if (parameter !== undefined) parameter.value = tensor;
      },
    },
  );
  const schedule = ScheduleSchema.parse({
    ...{ schedule: 'cosine', learningRate: options.learningRate, warmupSteps, minLearningRateRatio: 0.05 },
  });
  const maxSteps = cycleSteps * maxCycles;
  let accuracy = 0;
  let step = 0;
  while (step < maxSteps && accuracy < gate) {
    const lr = learningRateAt(schedule, step % cycleSteps, cycleSteps);
    const { loss, gradients } = lossAndGradients(parameters, () => options.loss(step));
    optimizer.step(gradients, { lr });
    disposeGradients(gradients);
    step++;
    const due = step % evaluateEvery === 0 || step % cycleSteps === 0;
    if (due) accuracy = options.evaluate();
    options.onProgress?.({ stage: options.name, step, loss, maxSteps, gate, ...(due ? { accuracy } : {}) });
    // Timers and signals get their turn.
    if (step % 16 === 0) await new Promise(setImmediate);
  }
  optimizer.dispose();
  for (const parameter of parameters) parameter.trainable = false;
  return { name: options.name, steps: step, accuracy, gate, passed: accuracy >= gate };
}
