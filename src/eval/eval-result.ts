/** The file that an evaluation writes: settings, scores, and every raw probability. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DataError } from '../base/errors.js';
import { type Answer, AnswerSchema } from './answers.js';
import type { Scores } from './score.js';
import type { CommentMetrics, WrittenComment } from './write-comments.js';

export const EVAL_FORMAT = 'mimic-eval/1';

/** What an answer depends on; a run goes on only with equal settings. */
export type EvalSettings = Readonly<Record<string, string | number | null>>;

export interface EvalResult {
  readonly format: typeof EVAL_FORMAT;
  readonly settings: EvalSettings;
  readonly scores: Scores;
  readonly baselines: Readonly<Record<string, Scores>>;
  readonly comments?: { readonly metrics: CommentMetrics; readonly texts: readonly WrittenComment[] };
  readonly answers: readonly Answer[];
}

const ResultSchema = z.looseObject({ format: z.literal(EVAL_FORMAT), answers: z.array(AnswerSchema) });

/** The answers of a result file. @throws DataError E_EVAL_RESULT */
export async function readAnswers(path: string): Promise<Answer[]> {
  try {
    return ResultSchema.parse(JSON.parse(await readFile(path, 'utf8'))).answers;
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new DataError('E_EVAL_RESULT', `${path}: ${reason}`, {
      hint: 'give a file that `mimic eval --out` wrote',
      cause,
    });
  }
}
