import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { scoreAnswers } from '../../src/eval/score.js';
import { answer } from './question.js';

describe('scoreAnswers', () => {
  const scores = scoreAnswers([
    answer('1', 'a', true, { axis: 'spatial' }),
    answer('2', 'a', false, { task: 'topic', axis: 'temporal' }),
    answer('3', 'b', true, { axis: 'spatial' }),
    answer('4', 'b', null, { axis: 'spatial' }),
    answer('5', 'c', true, { task: 'description' }),
  ]);

  it('counts a failed question as asked and wrong', () => {
    expect(scores.failed).toBe(1);
    expect(scores.tasks['title']).toMatchObject({ right: 2, asked: 3, accuracy: 2 / 3 });
  });

  it('gives macro over tasks, micro over questions, and the slices', () => {
    expect(scores.macro.accuracy).toBeCloseTo((2 / 3 + 0 + 1) / 3, 12);
    expect(scores.micro).toMatchObject({ right: 3, asked: 5, accuracy: 3 / 5 });
    expect(Object.keys(scores.tasks)).toEqual(['title', 'description', 'topic']);
    expect(scores.abilities['CIU']).toMatchObject({ right: 3, asked: 4 }); // titles and descriptions
    expect(scores.abilities['CAM']).toMatchObject({ right: 0, asked: 1 });
    expect(scores.axes['spatial']).toMatchObject({ right: 2, asked: 3 });
    expect(scores.axes['temporal']).toMatchObject({ right: 0, asked: 1 });
    expect(scores.videos).toBe(3);
  });

  const rng = new Rng(9);
  const independent = Array.from({ length: 400 }, (_, i) => answer(`q${i}`, `v${i}`, rng.uniform() < 0.7));

  it('gives the binomial interval when every video has one question', () => {
    const { accuracy, low, high } = scoreAnswers(independent).micro;
    const half = 1.96 * Math.sqrt((accuracy * (1 - accuracy)) / 400);
    // Measured: within 0.0025 of the normal approximation at both ends; a resampled proportion moves in steps of 0.0025.
    expect(Math.abs(low - (accuracy - half))).toBeLessThan(0.006);
    expect(Math.abs(high - (accuracy + half))).toBeLessThan(0.006);
  });

  it('widens the interval by sqrt(10) when ten questions of a video stand and fall together', () => {
    const clustered = independent
      .slice(0, 40)
      .flatMap((one) => Array.from({ length: 10 }, (_, i) => ({ ...one, questionId: `${one.questionId}:${i}` })));
    const { accuracy, low, high } = scoreAnswers(clustered).micro;
    const half = 1.96 * Math.sqrt((accuracy * (1 - accuracy)) / 40);
    expect((high - low) / (2 * half)).toBeGreaterThan(0.85);
    expect((high - low) / (2 * half)).toBeLessThan(1.15);
  });

  it('is reproducible by seed', () => {
    expect(scoreAnswers(independent, { seed: 3 })).toEqual(scoreAnswers(independent, { seed: 3 }));
    expect(scoreAnswers(independent, { seed: 3 }).micro).not.toEqual(scoreAnswers(independent, { seed: 4 }).micro);
  });
});
