/** What events.jsonl holds, a JSON object a line: `time`, `event` and the fields below. */
import { z } from 'zod';

const PartRowSchema = z.object({
  part: z.string(),
  parameters: z.number(),
  training: z.enum(['frozen', 'LoRA', 'full', 'unused']),
  note: z.string(),
});

/** env.json, so that a result can be read years later. */
export const EnvironmentSchema = z.object({
  version: z.string(),
  commandLine: z.array(z.string()),
  folder: z.string(),
  /** Of the program's sources; null where they are in no repository. */
  git: z.object({ commit: z.string(), changed: z.boolean() }).nullable(),
  node: z.string(),
  platform: z.string(),
  cpu: z.object({ model: z.string(), cores: z.number(), usable: z.number() }),
  memoryBytes: z.number(),
  backend: z.string(),
  device: z.string().nullable(),
  precision: z.string(),
  /** Why this backend, and on what. */
  reason: z.string(),
  /** What multiplies large fp32 matrices, and why; null where the device decides. */
  gemm: z.string().nullable(),
  /** Processes that train together. */
  ranks: z.number(),
});
export type Environment = z.output<typeof EnvironmentSchema>;

/** `start`: also after each interruption. */
export const StartSchema = z.object({
  time: z.string(),
  firstStep: z.number(),
  totalSteps: z.number(),
  /** Videos to train on. */
  records: z.number(),
  /** Questions of a validation. */
  questions: z.number(),
  parts: z.array(PartRowSchema),
  environment: EnvironmentSchema,
});
export type RunStart = z.output<typeof StartSchema>;

/** `validation`: accuracies are means over the questions of a task; `accuracy` is the mean over tasks. */
export const ValidationSchema = z.object({
  step: z.number(),
  loss: z.number(),
  accuracy: z.number(),
  byTask: z.record(z.string(), z.number()),
  questions: z.number(),
});
export type ValidationPoint = z.output<typeof ValidationSchema>;

export const ProbeAnswerSchema = z.object({
  /** Of the question. */
  id: z.string(),
  task: z.string(),
  video: z.string(),
  options: z.array(z.string()),
  /** Index of the right option. */
  answer: z.number(),
  /** One an option; they sum to 1. */
  probabilities: z.array(z.number()),
  /** What the model writes when asked for a comment on the video. */
  comment: z.string(),
});
export type ProbeAnswer = z.output<typeof ProbeAnswerSchema>;

/** `probe`: the answers of the same few questions after each validation. */
export const ProbeSchema = z.object({ step: z.number(), answers: z.array(ProbeAnswerSchema) });
export type ProbePoint = z.output<typeof ProbeSchema>;

/** `failed`: what ended a run that could not go on; nothing when it was killed. */
export const FailureSchema = z.object({ code: z.string(), message: z.string() });
export type RunFailure = z.output<typeof FailureSchema>;

/** `end`: missing when the run was killed. */
export const EndSchema = z.object({
  time: z.string(),
  reason: z.string(),
  steps: z.number(),
  totalSteps: z.number(),
  best: z.object({ step: z.number(), accuracy: z.number(), loss: z.number() }).nullable(),
  checkpointDir: z.string(),
  /** Time that probes, plots and reports took since the start, seconds. */
  reportSec: z.number().optional(),
  /** Since the start, seconds. */
  wallSec: z.number().optional(),
});
export type RunEnd = z.output<typeof EndSchema>;
