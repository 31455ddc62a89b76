import { describe, expect, it } from 'vitest';
import { longestOptionBaseline, majorityBaseline, randomBaseline } from '../../src/eval/baselines.js';
import { evaluateQuestions } from '../../src/eval/evaluate.js';
import { question } from './question.js';

const many = Array.from({ length: 2000 }, (_, i) => question(`q${i}`, `v${i % 50}`));
const choices = async (answerer: Parameters<typeof evaluateQuestions>[0], questions = many) =>
  (await evaluateQuestions(answerer, questions)).map(({ choice }) => choice);

describe('baselines', () => {
  it('random takes each option equally often', async () => {
    const counts = [0, 0, 0, 0];
    for (const choice of await choices(randomBaseline(5))) counts[choice ?? 0] = (counts[choice ?? 0] ?? 0) + 1;
    // Chi-square with 3 degrees of freedom: 99.99 % quantile 21.11. The seed is fixed.
    expect(counts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0)).toBeLessThan(21.11);
  });

  it('random depends on the seed and the question, not on the order', async () => {
    const forward = await choices(randomBaseline(5));
    expect(await choices(randomBaseline(5), many.toReversed())).toEqual(forward.toReversed());
    expect(await choices(randomBaseline(6))).not.toEqual(forward);
  });

  it('majority takes the letter that is right most often', async () => {
    const questions = [
      question('a', 'v', { answer: 3 }),
      question('b', 'v', { answer: 1 }),
      question('c', 'v', { answer: 3 }),
    ];
    expect(await choices(majorityBaseline(questions), questions)).toEqual([3, 3, 3]);
  });

  it('longest takes the option with the most characters, the first on ties', async () => {
    const questions = [
      question('a', 'v', { options: ['b', 'bbb', 'bb', 'bbb'] }),
      question('b', 'v', { options: ['\u{1f600}\u{1f600}', 'abc', '', ''] }),
    ];
    expect(await choices(longestOptionBaseline(), questions)).toEqual([1, 1]);
  });
});
