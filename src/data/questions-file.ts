/** A benchmark as a file: one question a line, choices and comment requests alike. */
import { z } from 'zod';
import { readJsonl, writeJsonl } from './jsonl.js';
import { CHOICE_TASKS, type ChoiceQuestion, type CommentRequest, OPTION_LETTERS } from './tasks/types.js';

const text = z.string().min(1);

const source = {
  videoId: text,
  videoPath: z.string().describe('relative to the data root; empty when frames are given'),
  frames: z.exactOptional(z.array(text).min(1)),
  frameTimesSec: z.exactOptional(z.array(z.number().nonnegative())),
};

const ChoiceSchema = z.object({
  id: text,
  ...source,
  task: z.enum(CHOICE_TASKS),
  options: z
    .array(text)
    .length(OPTION_LETTERS.length)
    .refine((options) => new Set(options).size === options.length, 'expected four different options'),
  answer: z
    .int()
    .min(0)
    .max(OPTION_LETTERS.length - 1)
    .describe('index of the right option'),
  axis: z.exactOptional(z.enum(['spatial', 'temporal', 'style'])),
  fact: z.exactOptional(text),
  meta: z.exactOptional(z.record(z.string(), z.unknown())),
});

const CommentRequestSchema = z.object({
  id: text,
  ...source,
  task: z.literal('comment'),
  references: z.array(text).min(1).max(5).describe('best-liked comments, best first'),
});

/** The schema of a line. */
export const QuestionSchema = z.discriminatedUnion('task', [ChoiceSchema, CommentRequestSchema]);

export interface QuestionFile {
  readonly questions: readonly ChoiceQuestion[];
  readonly comments: readonly CommentRequest[];
}

/**
 * Reads a benchmark's questions, each kind in file order.
 *
 * @throws DataError E_JSONL_INVALID with all errors by line, E_JSONL_READ
 */
export async function readQuestions(path: string, warn?: (message: string) => void): Promise<QuestionFile> {
  const rows = await readJsonl(path, QuestionSchema, { uniqueKey: 'id', ...(warn && { warn }) });
  const questions: ChoiceQuestion[] = [];
  const comments: CommentRequest[] = [];
  for (const row of rows) {
    if (row.task === 'comment') comments.push(row);
    else questions.push(row);
  }
  return { questions, comments };
}

/** Writes a benchmark's questions; the file appears whole or not at all. */
export function writeQuestions(path: string, { questions, comments }: QuestionFile): Promise<void> {
  return writeJsonl(path, [...questions, ...comments]);
}
