/** Prompts of the tasks; training and evaluation use the same ones. */
import { COMMENT_WORDING } from './comment.js';
import { TASKS } from './index.js';
import { type ChoiceQuestion, type CommentRequest, OPTION_LETTERS } from './types.js';

/** Goes up with any change of a prompt; recorded with every result. */
export const WORDING_VERSION = 1;

/** 'natural' for pretrained language models; 'terse' for small ones trained from scratch, a word a token. */
export type Wording = 'natural' | 'terse';

/** The user's side of a question. */
export function promptText(question: ChoiceQuestion | CommentRequest, wording: Wording): string {
  if (question.task === 'comment') {
    return wording === 'natural' ? COMMENT_WORDING.natural : `${COMMENT_WORDING.terse} ? answer`;
  }
  return wording === 'natural' ? naturalChoice(question) : terseChoice(question);
}

/** The reply to a choice question: its letter. */
export function answerText(question: ChoiceQuestion): string {
  const letter = OPTION_LETTERS[question.answer];
  if (letter === undefined)
    throw new RangeError(`question ${question.id}: got answer ${question.answer}, expected 0 to 3`);
  return letter;
}

function naturalChoice({ task, options }: ChoiceQuestion): string {
  const lines = options.map((option, i) => `${OPTION_LETTERS[i]}. ${option}`);
  return [TASKS[task].wording.natural, ...lines, 'Answer with the letter of the right option.'].join('\n');
}

function terseChoice({ task, options }: ChoiceQuestion): string {
  const { wording, terseMark } = TASKS[task];
  const mark = terseMark === undefined ? '' : `${terseMark} `;
  const lettered = options.map((option, i) => `${OPTION_LETTERS[i]} ${mark}${option}`);
  return `${wording.terse} ? ${lettered.join(' ')} answer`;
}
