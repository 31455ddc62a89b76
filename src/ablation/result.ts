/** What an ablation leaves on disk: a result a run, and one file that holds them all. */
import { z } from 'zod';
import { VARIANTS } from './variants.js';

export const RUN_FORMAT = 'mimic-ablation-run/1';
export const ABLATION_FORMAT = 'mimic-ablation/1';

const QuestionSchema = z.strictObject({
  id: z.string(),
  videoId: z.string(),
  task: z.string(),
  axis: z.string().optional(),
  fact: z.string().optional(),
  /** Index of the right option. */
  answer: z.int(),
});
/** A question of the test split, without its texts: they follow from the records and the seed. */
export type AskedQuestion = z.output<typeof QuestionSchema>;

export const RunResultSchema = z.strictObject({
  format: z.literal(RUN_FORMAT),
  variant: z.enum(VARIANTS),
  base: z.string(),
  seed: z.int(),
  /** Of the resolved configuration, without the names of folders. */
  configSha256: z.string(),
  baseSha256: z.string(),
  questionsSha256: z.string(),
  commit: z.string().nullable(),
  steps: z.int(),
  reason: z.string(),
  /** The checkpoint that was evaluated: the best on the validation split. */
  best: z.strictObject({ step: z.int(), accuracy: z.number(), loss: z.number() }).nullable(),
  seconds: z.strictObject({ tuning: z.number(), evaluation: z.number() }),
  /** One digit a question, the chosen option; '-' when the sample failed. */
  choices: z.string(),
});
export type RunResult = z.output<typeof RunResultSchema>;

/** One digit an answer: 1,440 answers are a line, not a page. */
export function encodeChoices(choices: readonly (number | null)[]): string {
  return choices.map((choice) => (choice === null ? '-' : String(choice))).join('');
}

/** Whether each question was answered right. */
export function rightOf(choices: string, questions: readonly Pick<AskedQuestion, 'answer'>[]): boolean[] {
  return questions.map(({ answer }, i) => choices[i] === String(answer));
}

/** What a run is known by, in messages and folders. */
export interface RunKey {
  readonly base: string;
  readonly seed: number;
  readonly variant: RunResult['variant'];
}

export const runName = ({ base, seed, variant }: RunKey): string => `base ${base}, seed ${seed}, ${variant}`;
