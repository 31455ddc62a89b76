import { ConfigError, DataError, ShapeError } from '../base/errors.js';
import type { ChoiceQuestion } from '../data/tasks/types.js';
import { type Answer, type Answerer, answerOf, failureOf } from './answers.js';
import { groupBy } from './group-by.js';

export interface EvaluateOptions {
  /** Answers of an earlier, interrupted run by question id; those questions are not asked again. */
  readonly known?: ReadonlyMap<string, Answer>;
  /** Receives the new answers of each video as they come, also failures. */
  readonly onAnswers?: (answers: readonly Answer[]) => void | Promise<void>;
  /** Stops before the next video. */
  readonly signal?: AbortSignal;
}

/**
 * Asks all questions, grouped by video, in the order in which videos first appear.
 *
 * A video or question that cannot be used (DataError, or text that outgrows the context) becomes a counted failure;
 * every other error is the caller's.
 *
 * @returns one answer a question, in the order of `questions`
 * @throws ShapeError E_ANSWER_SHAPE when the answerer returns other numbers of answers or options; the abort reason
 */
export async function evaluateQuestions(
  answerer: Answerer,
  questions: readonly ChoiceQuestion[],
  options: EvaluateOptions = {},
): Promise<Answer[]> {
  const answers = new Map(options.known);
  const asked = questions.filter((question) => !answers.has(question.id));
  for (const ofVideo of groupBy(asked, (question) => question.videoId).values()) {
    options.signal?.throwIfAborted();
    const fresh = await answerOneVideo(answerer, ofVideo);
    for (const answer of fresh) answers.set(answer.questionId, answer);
    await options.onAnswers?.(fresh);
  }
  return questions.flatMap((question) => answers.get(question.id) ?? []);
}

async function answerOneVideo(answerer: Answerer, questions: readonly ChoiceQuestion[]): Promise<Answer[]> {
  try {
    const rows = await answerer.answerVideo(questions[0]?.videoPath ?? '', questions);
    if (rows.length !== questions.length) {
      throw new ShapeError(
        'E_ANSWER_SHAPE',
        `the answerer returned ${rows.length} answers, expected ${questions.length}`,
      );
    }
    return questions.map((question, i) => answerOf(question, checkedRow(question, rows[i]?.probabilities ?? [])));
  } catch (error) {
    if (error instanceof DataError) return questions.map((question) => failureOf(question, error));
    if (!(error instanceof ConfigError && error.code === 'E_CONTEXT_LENGTH')) throw error;
    if (questions.length === 1) return questions.map((question) => failureOf(question, error));
    // One question is too long: ask each by itself, so that the others keep their answers.
    const alone: Answer[] = [];
    for (const question of questions) alone.push(...(await answerOneVideo(answerer, [question])));
    return alone;
  }
}

function checkedRow(question: ChoiceQuestion, probabilities: readonly number[]): readonly number[] {
  const isRow = probabilities.length === question.options.length && probabilities.every((p) => p >= 0);
  if (!isRow) {
    const expected = `${question.options.length} probabilities`;
    throw new ShapeError('E_ANSWER_SHAPE', `question ${question.id}: got [${probabilities}], expected ${expected}`);
  }
  return probabilities;
}
