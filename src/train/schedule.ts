import { z } from 'zod';

const steps = z.int().nonnegative();

/** Keys of the learning-rate schedule; other schemas may spread its shape. */
export const ScheduleSchema = z.strictObject({
  schedule: z
    .enum(['cosine', 'constant-with-decay'])
    .default('cosine')
    .describe('constant-with-decay holds the rate, then lets it fall linearly; a stage may start the fall early'),
  learningRate: z.number().positive().default(4e-5).describe('peak'),
  warmupRatio: z.number().min(0).max(1).default(0.03).describe('share of all steps in which the rate rises'),
  warmupSteps: steps.optional().describe('replaces warmupRatio'),
  decayRatio: z.number().min(0).max(1).default(0.1).describe('constant-with-decay: share of all steps in the fall'),
  decaySteps: steps.optional().describe('replaces decayRatio'),
  minLearningRateRatio: z.number().min(0).max(1).default(0).describe('floor of the fall, relative to learningRate'),
});

export type Schedule = z.output<typeof ScheduleSchema>;

/**
 * Learning rate of optimizer step `step` (0 is the first) of `totalSteps`.
 *
 * The rise ends at the peak on its last step, and no step has a rate of 0: the floor is reached at `totalSteps`, one
 * past the end.
 *
 * @param decayStartStep constant-with-decay: the step from which the rate falls, when the caller knows it; the fall
 *   begins by `totalSteps - decaySteps` at the latest
 */
export function learningRateAt(schedule: Schedule, step: number, totalSteps: number, decayStartStep?: number): number {
  const warmupSteps = schedule.warmupSteps ?? Math.ceil(totalSteps * schedule.warmupRatio);
  const rise = warmupSteps === 0 ? 1 : Math.min(1, (step + 1) / warmupSteps);
  return schedule.learningRate * rise * fall(schedule, step, totalSteps, warmupSteps, decayStartStep);
}

/** Number of steps in the fall of constant-with-decay. */
export function decayStepsOf(schedule: Schedule, totalSteps: number): number {
  return schedule.decaySteps ?? Math.ceil(totalSteps * schedule.decayRatio);
}

function fall(
  schedule: Schedule,
  step: number,
  totalSteps: number,
  warmupSteps: number,
  decayStartStep?: number,
): number {
  const floor = schedule.minLearningRateRatio;
  if (schedule.schedule === 'cosine') {
    const progress = progressOf(step, warmupSteps, totalSteps - warmupSteps);
    return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
  }
  const decaySteps = decayStepsOf(schedule, totalSteps);
  const start = Math.min(decayStartStep ?? Number.POSITIVE_INFINITY, totalSteps - decaySteps);
  return 1 - (1 - floor) * progressOf(step, start, decaySteps);
}

/** Share of `length` steps from `start` that lie before `step`, in [0, 1]. */
function progressOf(step: number, start: number, length: number): number {
  if (step < start) return 0;
  return length <= 0 ? 1 : Math.min(1, (step - start) / length);
}
