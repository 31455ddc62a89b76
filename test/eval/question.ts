import type { ChoiceQuestion } from '../../src/data/tasks/types.js';
import type { Answer } from '../../src/eval/answers.js';

/** A question with four options, the right one first unless told. */
export function question(id: string, videoId: string, fields: Partial<ChoiceQuestion> = {}): ChoiceQuestion {
  const options = ['one', 'two', 'three', 'four'];
  return { id, videoId, videoPath: `${videoId}.mp4`, task: 'title', options, answer: 0, ...fields };
}

/** An answer that is right or wrong, or failed (null). */
export function answer(
  questionId: string,
  videoId: string,
  isRight: boolean | null,
  fields: Partial<Answer> = {},
): Answer {
  const choice = isRight === null ? null : isRight ? 0 : 1;
  return { questionId, videoId, task: 'title', answer: 0, choice, probabilities: [], ...fields };
}
