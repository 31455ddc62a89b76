/** A few held-out questions whose answers a reader follows from validation to validation. */

import type { PromptConfig } from '../../data/prompt.js';
import type { ChoiceQuestion } from '../../data/tasks/types.js';
import { LETTERS } from '../../data/tasks/wording.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import type { VideoFeatures } from '../../model/video-features.js';
import type { ProbeAnswer } from './run-events.js';

/** What the model is asked with: it is in the midst of training, and its tensors stay the caller's. */
export interface ProbeRequest {
  readonly question: ChoiceQuestion;
  readonly features: VideoFeatures;
  readonly model: MimicChatModel;
  readonly tokenizer: Tokenizer;
  readonly prompt: PromptConfig;
  /** Most tokens of a sequence. */
  readonly maxLength: number;
}

/** Given from above, where inference is: training alone cannot write text. */
export type AnswerProbe = (request: ProbeRequest) => Promise<Pick<ProbeAnswer, 'probabilities' | 'comment'>>;

/** Up to `count` questions, of as many tasks and videos as there are, the same in every run over the same questions. */
export function chooseProbes(questions: readonly ChoiceQuestion[], count: number): ChoiceQuestion[] {
  const chosen: ChoiceQuestion[] = [];
  const left = new Set(questions);
  while (chosen.length < count && left.size > 0) {
    const timesUsed = (question: ChoiceQuestion) =>
      chosen.filter(({ task }) => task === question.task).length * questions.length +
      chosen.filter(({ videoId }) => videoId === question.videoId).length;
    let best: ChoiceQuestion | undefined;
    for (const question of left) if (best === undefined || timesUsed(question) < timesUsed(best)) best = question;
    if (best === undefined) break;
    left.delete(best);
    chosen.push(best);
  }
  return chosen;
}

/** Index of the most likely option. */
export function chosenOption({ probabilities }: Pick<ProbeAnswer, 'probabilities'>): number {
  return probabilities.indexOf(Math.max(...probabilities));
}

/** samples/step-*.md */
export function probeMarkdown(step: number, answers: readonly ProbeAnswer[]): string {
  const right = answers.filter((answer) => chosenOption(answer) === answer.answer).length;
  const sections = answers.map((answer) => {
    const chosen = chosenOption(answer);
    const options = answer.options.map((option, i) => {
      const marks = [i === answer.answer ? 'right' : '', i === chosen ? 'chosen' : ''].filter(Boolean).join(', ');
      return `| ${LETTERS[i]} | ${cell(option)} | ${(answer.probabilities[i] ?? 0).toFixed(3)} | ${marks} |`;
    });
    return [
      `## ${inline(answer.task)}: ${inline(answer.video)}`,
      ['|  | option | probability |  |', '|---|---|---|---|', ...options].join('\n'),
      'Comment:',
      answer.comment.trim() === '' ? '(nothing)' : quoted(answer.comment),
    ].join('\n\n');
  });
  return `${[`# Probe answers after step ${step}`, `${right} of ${answers.length} choices are right.`, ...sections].join('\n\n')}\n`;
}

/** Text of others in a table: no bar or line break may end the cell, and no tag may act. */
function cell(text: string): string {
  return inline(text).replaceAll('|', '\\|');
}

function inline(text: string): string {
  return text.replaceAll('<', '&lt;').replace(/\s+/g, ' ').trim();
}

function quoted(text: string): string {
  return text
    .trim()
    .split(/\r?\n/)
    .map((line) => `> ${line.replaceAll('<', '&lt;')}`)
    .join('\n');
}
