import { describe, expect, it } from 'vitest';
import { estimate, tQuantile } from '../../src/ablation/estimate.js';
import { type AskedQuestion, encodeChoices, RUN_FORMAT, type RunResult } from '../../src/ablation/result.js';
import type { Variant } from '../../src/ablation/variants.js';
import { Rng } from '../../src/base/rng.js';
import { scoreAnswers } from '../../src/eval/score.js';

const TASKS = ['title', 'tag', 'category'] as const;
const AXES = ['spatial', 'temporal', 'temporal'] as const;

function questions(base: string, videos: number): AskedQuestion[] {
  return Array.from({ length: videos }, (_, v) =>
    TASKS.map((task, i) => {
      return { id: `${base}-${v}-${task}`, videoId: `${base}-${v}`, task, axis: AXES[i] ?? 'style', answer: v % 4 };
    }),
  ).flat();
}

/** Right with probability `skill`, all questions of a video alike in three of four videos. */
function run(
  asked: readonly AskedQuestion[],
  key: { base: string; seed: number; variant: Variant },
  skill: number,
): RunResult {
  const rng = new Rng(key.seed, `${key.base}/${key.variant}`);
  const ofVideo = new Map<string, boolean>();
  const choices = asked.map(({ videoId, answer }) => {
    const shared = ofVideo.get(videoId) ?? rng.uniform() < skill;
    ofVideo.set(videoId, shared);
    const right = rng.uniform() < 0.75 ? shared : rng.uniform() < skill;
    return right ? answer : (answer + 1) % 4;
  });
  return {
    ...{ format: RUN_FORMAT, ...key, configSha256: '', baseSha256: '', questionsSha256: '', commit: null },
    ...{ steps: 1, reason: 'finished', best: null, seconds: { tuning: 1, evaluation: 1 } },
    choices: encodeChoices(choices),
  };
}

describe('estimates over runs', () => {
  it('have the mean and the t interval of the runs, the wider reach of both intervals, and stay within 0 to 1', () => {
    const asked = new Map([
      ['0', questions('0', 40)],
      ['1', questions('1', 30)],
    ]);
    const runs = [...asked].flatMap(([base, own]) =>
      [1, 2].map((seed) => run(own, { base, seed, variant: 'full' }, 0.96)),
    );
    const { mean, low, high, t, bootstrap, values } = estimate(runs, asked).of('full', 'axis:temporal') ?? never();
    const byHand = runs.map(({ base, choices }) => {
      const own = asked.get(base) ?? [];
      const temporal = [...own.keys()].filter((i) => own[i]?.axis === 'temporal');
      return temporal.filter((i) => choices[i] === String(own[i]?.answer)).length / temporal.length;
    });
    expect(values).toEqual(byHand);
    const average = byHand.reduce((a, b) => a + b) / 4;
    expect(mean).toBeCloseTo(average, 12);
    const spread = Math.sqrt(byHand.reduce((sum, x) => sum + (x - average) ** 2, 0) / 3 / 4);
    expect(t?.[0]).toBeCloseTo(average - 3.182 * spread, 12);
    expect(low).toBe(Math.min(t?.[0] ?? 1, bootstrap[0]));
    expect(high).toBe(Math.min(1, Math.max(t?.[1] ?? 0, bootstrap[1])));
  });

  it('give for a single run the interval that an evaluation gives, by another implementation', () => {
    const asked = questions('0', 80);
    const only = run(asked, { base: '0', seed: 1, variant: 'full' }, 0.7);
    const estimates = estimate([only], new Map([['0', asked]]));
    const scores = scoreAnswers(
      asked.map((question, i) => {
        return { ...question, questionId: question.id, choice: Number(only.choices[i]), probabilities: [] };
      }),
    );
    const pairs = [
      [estimates.of('full', 'macro'), scores.macro],
      [estimates.of('full', 'micro'), scores.micro],
      [estimates.of('full', 'axis:temporal'), scores.axes['temporal']],
      [estimates.of('full', 'task:tag'), scores.tasks['tag']],
    ] as const;
    for (const [ours, theirs] of pairs) {
      expect(ours?.mean).toBeCloseTo(theirs?.accuracy ?? Number.NaN, 12);
      // Ends of two bootstraps of 2,000 draws; measured at most 0.0125 apart over ten seeds, a step of 1 in 80 videos.
      expect(Math.abs((ours?.low ?? 0) - (theirs?.low ?? 1))).toBeLessThan(0.02);
      expect(Math.abs((ours?.high ?? 0) - (theirs?.high ?? 1))).toBeLessThan(0.02);
      expect(ours?.t).toBeUndefined();
    }
  });

  it('take differences run by run: equal answers differ by exactly nothing, and a missing run is left out of both', () => {
    const asked = new Map([['0', questions('0', 30)]]);
    const full = [1, 2, 3].map((seed) => run(asked.get('0') ?? [], { base: '0', seed, variant: 'full' }, 0.6));
    const same = full.slice(0, 2).map((result) => ({ ...result, variant: 'no-lora' as const }));
    const difference = estimate([...full, ...same], asked).difference('full', 'no-lora', 'micro') ?? never();
    expect(difference).toMatchObject({ mean: 0, low: 0, high: 0, values: [0, 0] });
    expect(estimate(full, asked).difference('full', 'text-only', 'micro')).toBeUndefined();
    expect(estimate(full, asked).of('full', 'axis:style')).toBeUndefined();
  });

  it("know Student's t", () => {
    // Tables; the expansion beyond 10 degrees of freedom is within 0.0005 of them.
    for (const [degrees, value] of [
      [1, 12.706],
      [8, 2.306],
      [11, 2.201],
      [15, 2.131],
      [30, 2.042],
      [100, 1.984],
    ] as const) {
      expect(tQuantile(degrees)).toBeCloseTo(value, 3 - 0.3);
    }
  });
});

function never(): never {
  throw new Error('no estimate');
}
