import { describe, expect, it } from 'vitest';
import { learningRateAt, ScheduleSchema } from '../../src/train/schedule.js';

const rates = (keys: object, totalSteps: number, decayStartStep?: number) => {
  const schedule = ScheduleSchema.parse({ learningRate: 1, ...keys });
  return Array.from({ length: totalSteps }, (_, step) => learningRateAt(schedule, step, totalSteps, decayStartStep));
};

describe('the cosine schedule', () => {
  it('rises to the peak in the warm-up and falls along a half cosine', () => {
    const got = rates({ warmupSteps: 2 }, 6);
    const cosine = [0, 0.25, 0.5, 0.75].map((progress) => (1 + Math.cos(Math.PI * progress)) / 2);
    expect(got).toEqual([0.5, 1, ...cosine]);
  });

  it('warms up over a share of the steps, rounded up', () => {
    expect(rates({ warmupRatio: 0.03 }, 100).slice(0, 4)).toEqual([1 / 3, 2 / 3, 1, 1]);
    expect(rates({ warmupRatio: 0 }, 100)[0]).toBe(1);
  });

  it('ends at the floor and stays there past the end', () => {
    const schedule = ScheduleSchema.parse({ learningRate: 2, minLearningRateRatio: 0.1 });
    expect(learningRateAt(schedule, 100, 100)).toBeCloseTo(0.2, 12);
    expect(learningRateAt(schedule, 500, 100)).toBeCloseTo(0.2, 12);
  });

  it('never has a step without learning', () => {
    expect(Math.min(...rates({}, 1000))).toBeGreaterThan(0);
    expect(rates({}, 1)).toEqual([1]);
  });
});

describe('the constant schedule with decay', () => {
  const constant = { schedule: 'constant-with-decay', warmupSteps: 2, decaySteps: 4 };

  it('rises, holds, and falls linearly over the last steps', () => {
    expect(rates(constant, 10)).toEqual([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]);
  });

  it('falls from the step the caller names, but no later than the end demands', () => {
    expect(rates(constant, 10, 3)).toEqual([0.5, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0]);
    expect(rates(constant, 10, 9)).toEqual(rates(constant, 10));
  });

  it('falls over a share of the steps by default', () => {
    const got = rates({ schedule: 'constant-with-decay', warmupRatio: 0 }, 100);
    expect(got[90]).toBe(1);
    expect(got[91]).toBeCloseTo(0.9, 12);
  });
});

describe('the schedule keys', () => {
  it.each([
    [{ learningRate: 0 }],
    [{ warmupRatio: 1.5 }],
    [{ warmupSteps: -1 }],
    [{ schedule: 'linear' }],
    [{ warmup: 3 }],
  ])('refuse %j', (keys) => {
    expect(ScheduleSchema.safeParse(keys).success).toBe(false);
  });
});
