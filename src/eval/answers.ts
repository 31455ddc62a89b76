import { z } from 'zod';
import type { ChoiceQuestion } from '../data/tasks/types.js';

/** Turns questions about videos into probabilities; a model, a baseline, or anything a caller wants scored. */
export interface Answerer {
  /**
   * All choice questions about one video, so that it is encoded once.
   *
   * @returns one row a question, one probability an option
   * @throws DataError when the video cannot be used: its questions are then counted as failed
   */
  answerVideo(
    videoPath: string,
    questions: readonly ChoiceQuestion[],
  ): Promise<readonly { readonly probabilities: readonly number[] }[]>;
}

export const AnswerSchema = z.strictObject({
  questionId: z.string(),
  videoId: z.string(),
  task: z.string(),
  axis: z.string().optional(),
  answer: z.int().nonnegative().describe('index of the right option'),
  choice: z.int().nonnegative().nullable().describe('index of the chosen option; null when the sample failed'),
  probabilities: z.array(z.number()),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
});

/** What became of one question. A failed one has no choice and counts as wrong. */
export type Answer = z.output<typeof AnswerSchema>;

export function answerOf(question: ChoiceQuestion, probabilities: readonly number[]): Answer {
  const best = probabilities.reduce((top, p, i) => (p > (probabilities[top] ?? 0) ? i : top), 0);
  return { ...identity(question), choice: best, probabilities: [...probabilities] };
}

export function failureOf(
  question: ChoiceQuestion,
  error: { readonly code: string; readonly message: string },
): Answer {
  return {
    ...identity(question),
    choice: null,
    probabilities: [],
    error: { code: error.code, message: error.message },
  };
}

export const isRight = (answer: Answer): boolean => answer.choice === answer.answer;

function identity({ id, videoId, task, axis, answer }: ChoiceQuestion) {
  return { questionId: id, videoId, task, ...(axis === undefined ? {} : { axis }), answer };
}
