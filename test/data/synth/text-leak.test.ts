import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { drawFacts, FACT_KINDS, FACT_VALUES } from '../../../src/data/synth/facts.js';
import { makeRecord } from '../../../src/data/synth/record.js';
import { buildBenchmark } from '../../../src/data/tasks/benchmark.js';
import { CorpusIndex } from '../../../src/data/tasks/corpus-index.js';
import { buildQuestions } from '../../../src/data/tasks/index.js';
import type { ChoiceQuestion, QuestionAxis } from '../../../src/data/tasks/types.js';

const VIDEOS = 1500;

function questionsOf(stream: string): ChoiceQuestion[] {
  const rng = new Rng(4, stream);
  const records = Array.from({ length: VIDEOS }, (_, i) => makeRecord(drawFacts(rng), rng, `${stream}-${i}`));
  const index = new CorpusIndex(records);
  return records.flatMap((record) => buildQuestions(record, index, rng).questions);
}
const training = questionsOf('text-leak-train');
const held = questionsOf('text-leak-test');

/** Log-odds of a word of a task's option being in the right one (naive Bayes, add-one smoothing). */
function wordOdds(questions: readonly ChoiceQuestion[]): (task: string, word: string) => number {
  const counts = new Map<string, { right: number; wrong: number }>();
  for (const { task, options, answer } of questions) {
    for (const [i, option] of options.entries()) {
      for (const word of option.split(' ')) {
        const key = `${task} ${word}`;
        const count = counts.get(key) ?? { right: 0, wrong: 0 };
        if (i === answer) count.right++;
        else count.wrong++;
        counts.set(key, count);
      }
    }
  }
  return (task, word) => {
    const { right, wrong } = counts.get(`${task} ${word}`) ?? { right: 0, wrong: 0 };
    return Math.log((right + 1) / (wrong / 3 + 1));
  };
}

function textOnlyAccuracy(axis: QuestionAxis): number {
  const odds = wordOdds(training);
  const asked = held.filter((question) => question.axis === axis);
  const right = asked.filter(({ task, options, answer }) => {
    const scores = options.map((option) => option.split(' ').reduce((sum, word) => sum + odds(task, word), 0));
    return scores.indexOf(Math.max(...scores)) === answer;
  });
  return right.length / asked.length;
}

/** Questions on one video are not independent; one draw a video is the cautious count. */
const THREE_SIGMA = 3 * Math.sqrt((0.25 * 0.75) / VIDEOS);

describe('a reader of the options alone', () => {
  it('is at chance on spatial and temporal questions', () => {
    // Measured: 0.252 and 0.256.
    expect(Math.abs(textOnlyAccuracy('spatial') - 0.25)).toBeLessThan(THREE_SIGMA);
    expect(Math.abs(textOnlyAccuracy('temporal') - 0.25)).toBeLessThan(THREE_SIGMA);
  });

  it('solves style questions, which live in the text', () => {
    expect(textOnlyAccuracy('style')).toBeGreaterThan(0.99);
  });
});

const valuesOf = (fact: string | undefined) =>
  FACT_KINDS.filter((kind) => kind === fact).flatMap((kind): readonly string[] => FACT_VALUES[kind]);

describe('the options of a question', () => {
  it('are all four values of the one fact asked', () => {
    const pure = held.filter(({ axis, task }) => axis !== 'style' && task !== 'topic' && task !== 'category');
    const mixed = pure.filter(({ options, fact }) => {
      const named = options.map((option) => valuesOf(fact).find((value) => option.split(' ').includes(value)));
      return new Set(named).size !== 4 || named.includes(undefined);
    });
    expect(pure.length).toBeGreaterThan(9 * VIDEOS - 1);
    expect(mixed).toEqual([]);
  });

  it('of a small split mix facts in fewer than one question of 200', () => {
    let asked = 0;
    let mixed = 0;
    for (let seed = 0; seed < 10; seed++) {
      const rng = new Rng(seed, 'small');
      const records = Array.from({ length: 120 }, (_, i) => makeRecord(drawFacts(rng), rng, `v${i}`));
      for (const { axis, task, options, fact } of buildBenchmark(records, 1).questions) {
        if (axis === 'style' || task === 'topic' || task === 'category') continue;
        const values = valuesOf(fact);
        asked++;
        if (!options.every((option) => option.split(' ').some((word) => values.includes(word)))) mixed++;
      }
    }
    // Measured: 0.0031; the split holds no video of another topic with the fourth value.
    expect(mixed / asked).toBeLessThan(0.005);
  });

  it('of category come from one background group, so that the topic does not tell', () => {
    const sets = new Set(
      held.filter(({ task }) => task === 'category').map(({ options }) => [...options].sort().join(' ')),
    );
    expect([...sets].sort()).toEqual(['carousel rewind siesta trampoline', 'moonwalk parkour statue waltz']);
  });

  it('carry the axis of the fact', () => {
    const axes = new Map<string, Set<string>>();
    for (const { axis = 'none', fact = 'none' } of held) axes.set(axis, (axes.get(axis) ?? new Set()).add(fact));
    expect(Object.fromEntries([...axes].map(([axis, facts]) => [axis, [...facts].sort()]))).toEqual({
      spatial: ['bg', 'color', 'layout', 'shape'],
      temporal: ['lamp', 'motion'],
      style: ['style'],
    });
  });
});
