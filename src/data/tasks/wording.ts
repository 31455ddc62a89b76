/** Prompts of the tasks; training and evaluation use the same ones. */
import { COMMENT_WORDING } from './comment.js';
import { TASKS } from './index.js';
import { type ChoiceQuestion, type CommentRequest, OPTION_LETTERS } from './types.js';

/** Letters of options; benchmark questions have four, a caller's own up to eight. */
export const LETTERS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'] as const;

/** Goes up with any change of a prompt; recorded with every result. */
export const WORDING_VERSION = 1;

/** 'natural' for pretrained language models; 'terse' for small ones trained from scratch, a word a token. */
export type Wording = 'natural' | 'terse';

/** The user's side of a question. */
export function promptText(question: ChoiceQuestion | CommentRequest, wording: Wording): string {
  if (question.task === 'comment') {
    return wording === 'natural' ? COMMENT_WORDING.natural : `${COMMENT_WORDING.terse} ? answer`;
  }
  const { natural, terse } = TASKS[question.task].wording;
  return choiceText(wording === 'natural' ? natural : `${terse} ?`, question.options, wording);
}

/** The reply to a choice question: its letter. */
export function answerText(question: ChoiceQuestion): string {
  const letter = OPTION_LETTERS[question.answer];
  if (letter === undefined)
    throw new RangeError(`question ${question.id}: got answer ${question.answer}, expected 0 to 3`);
  return letter;
}

/** A question with lettered options, as every task and every caller's own question is put to a model. */
export function choiceText(question: string, options: readonly string[], wording: Wording): string {
  const lettered = (separator: string) => options.map((option, i) => `${LETTERS[i]}${separator}${option}`);
  return wording === 'natural'
    ? [question, ...lettered('. '), 'Answer with the letter of the right option.'].join('\n')
    : `${question} ${lettered(' ').join(' ')} answer`;
}
