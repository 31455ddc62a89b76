/** Answerers that see no video: a benchmark that one of these solves measures nothing. */
import { Rng } from '../base/rng.js';
import type { ChoiceQuestion } from '../data/tasks/types.js';
import type { Answerer } from './answers.js';

/** A seeded guess a question, the same whatever the order of questions. */
export function randomBaseline(seed: number): Answerer {
  return answerEach((question) =>
    oneHot(new Rng(seed, 'random-baseline').fork(question.id).int(question.options.length), question),
  );
}

/** Always the letter that is right most often in `questions` themselves: the most that a bias to one letter can gain. */
export function majorityBaseline(questions: readonly ChoiceQuestion[]): Answerer {
  const counts: number[] = [];
  for (const { answer } of questions) counts[answer] = (counts[answer] ?? 0) + 1;
  const most = indexOfLargest(Array.from(counts, (count) => count ?? 0));
  return answerEach((question) => oneHot(Math.min(most, question.options.length - 1), question));
}

/** The option with the most characters, the first one on ties. */
export function longestOptionBaseline(): Answerer {
  return answerEach((question) =>
    oneHot(indexOfLargest(question.options.map((option) => [...option].length)), question),
  );
}

function answerEach(probabilities: (question: ChoiceQuestion) => number[]): Answerer {
  return {
    answerVideo: async (_videoPath, questions) =>
      questions.map((question) => ({ probabilities: probabilities(question) })),
  };
}

function oneHot(index: number, question: ChoiceQuestion): number[] {
  return question.options.map((_, i) => (i === index ? 1 : 0));
}

function indexOfLargest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? 0) ? i : best), 0);
}
