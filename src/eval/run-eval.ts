/** `mimic eval`: answers a question file, prints accuracies beside blind baselines, writes every answer. */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BackendOptions } from '../backend/select.js';
import { writeFileAtomic } from '../base/atomic-file.js';
import { ConfigError } from '../base/errors.js';
import { sha256, sha256File } from '../base/hash.js';
import { Progress } from '../base/progress.js';
import { type QuestionFile, readQuestions } from '../data/questions-file.js';
import { WORDING_VERSION } from '../data/tasks/wording.js';
import { MimicChat } from '../infer/mimic-chat.js';
import { openAnswerLog } from './answer-log.js';
import type { Answer, Answerer } from './answers.js';
import { longestOptionBaseline, majorityBaseline, randomBaseline } from './baselines.js';
import { compareRuns } from './compare.js';
import { EVAL_FORMAT, type EvalResult, type EvalSettings, readAnswers } from './eval-result.js';
import { evaluateQuestions } from './evaluate.js';
import { ModelAnswerer } from './model-answerer.js';
import { scoreAnswers } from './score.js';
import { comparisonText, scoreTable } from './table.js';
import { commentMetrics, writeComments } from './write-comments.js';

export const BASELINES = ['random', 'majority', 'longest'] as const;

export interface EvalOptions extends BackendOptions {
  /** JSONL of questions. */
  readonly bench: string;
  /** Folder that the videos' paths are relative to; default: the question file's. */
  readonly root?: string | undefined;
  /** Model folder; else `model`. */
  readonly checkpoint?: string | undefined;
  /** A baseline in place of a checkpoint. */
  readonly model?: string | undefined;
  /** Result file; the answers are kept beside it as they come, and a run that was killed goes on from them. */
  readonly out?: string | undefined;
  /** Result file of another run on the same questions, to compare with. */
  readonly compare?: string | undefined;
  /** Also write one comment a video. */
  readonly comments?: boolean | undefined;
  readonly seed?: number | undefined;
  readonly json?: boolean | undefined;
}

/** @returns the exit code: 3 when some samples failed, else 0 */
export async function runEval(options: EvalOptions): Promise<0 | 3> {
  const file = await readQuestions(options.bench);
  if (file.questions.length === 0) {
    throw new ConfigError('E_BENCH_EMPTY', `${options.bench}: got no choice questions, expected at least one`, {
      hint: 'build them with `mimic bench build`',
    });
  }
  const benchSha256 = await sha256File(options.bench);
  const result = await (options.checkpoint === undefined
    ? evaluateBaseline(options, file, benchSha256)
    : evaluateCheckpoint(options.checkpoint, options, file, benchSha256));
  if (options.out !== undefined) {
    await writeFileAtomic(options.out, `${JSON.stringify(result, null, 1)}\n`);
    await rm(partialFile(options.out), { force: true });
  }
  await print(result, options);
  return result.scores.failed + (result.comments?.metrics.failed ?? 0) > 0 ? 3 : 0;
}

async function evaluateBaseline(options: EvalOptions, file: QuestionFile, benchSha256: string): Promise<EvalResult> {
  const { model = 'random', seed = 1 } = options;
  const answerer = baselinesOf(file, seed)[model];
  if (answerer === undefined) {
    throw new ConfigError('E_EVAL_MODEL', `model: got ${model}, expected one of ${BASELINES.join(', ')}`);
  }
  const answers = await evaluateQuestions(answerer, file.questions);
  return {
    format: EVAL_FORMAT,
    settings: { model, seed, benchSha256 },
    scores: scoreAnswers(answers),
    baselines: {},
    answers,
  };
}

async function evaluateCheckpoint(
  checkpoint: string,
  options: EvalOptions,
  file: QuestionFile,
  benchSha256: string,
): Promise<EvalResult> {
  const { seed = 1, out, root: dataRoot = dirname(options.bench) } = options;
  const chat = await MimicChat.load(checkpoint, options);
  try {
    const settings = await settingsOf(chat, benchSha256, seed);
    const model = new ModelAnswerer(chat, { dataRoot });
    const answers = await askAll(model, file, settings, out);
    const baselines = {
      ...baselinesOf(file, seed),
      'text-only': new ModelAnswerer(chat, { dataRoot, textOnly: true }),
    };
    const scored: Record<string, EvalResult['scores']> = {};
    for (const [name, answerer] of Object.entries(baselines)) {
      scored[name] = scoreAnswers(await evaluateQuestions(answerer, file.questions));
    }
    const texts = options.comments
      ? await writeComments((request) => model.writeComment(request, seed), file.comments)
      : undefined;
    return {
      format: EVAL_FORMAT,
      settings,
      scores: scoreAnswers(answers),
      baselines: scored,
      ...(texts === undefined ? {} : { comments: { metrics: commentMetrics(texts, file.comments), texts } }),
      answers,
    };
  } finally {
    chat.dispose();
  }
}

/** Asks the model, keeping the answers beside `out` as they come. */
async function askAll(
  model: Answerer,
  { questions }: QuestionFile,
  settings: EvalSettings,
  out?: string,
): Promise<Answer[]> {
  const log = out === undefined ? undefined : await openAnswerLog(partialFile(out), settings);
  const known = log?.known ?? new Map<string, Answer>();
  const progress = new Progress('questions', { total: questions.length }, known.size);
  let done = known.size;
  try {
    return await evaluateQuestions(model, questions, {
      known,
      onAnswers: async (answers) => {
        await log?.append(answers);
        done += answers.length;
        progress.update(done);
      },
    });
  } finally {
    progress.end();
    await log?.close();
  }
}

const partialFile = (out: string): string => `${out}.partial.jsonl`;

function baselinesOf({ questions }: QuestionFile, seed: number): Record<string, Answerer> {
  return { random: randomBaseline(seed), majority: majorityBaseline(questions), longest: longestOptionBaseline() };
}

async function settingsOf(chat: MimicChat, benchSha256: string, seed: number): Promise<EvalSettings> {
  const { prompt, weightFiles = [], sampling } = chat.parts;
  const hashes = [];
  for (const path of weightFiles) hashes.push(await sha256File(path));
  return {
    weightsSha256: hashes.join('+'),
    benchSha256,
    seed,
    answerMode: 'likelihood',
    wordingVersion: WORDING_VERSION,
    promptSha256: sha256(JSON.stringify(prompt)),
    videoSha256: sha256(JSON.stringify(sampling)),
  };
}

async function print(result: EvalResult, options: EvalOptions): Promise<void> {
  const { answers, ...summary } = result;
  const comparison =
    options.compare === undefined ? undefined : compareRuns(await readAnswers(options.compare), answers);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...summary, ...(comparison === undefined ? {} : { comparison }) })}\n`);
    return;
  }
  process.stdout.write(`${scoreTable(result.scores, result.baselines)}\n`);
  if (result.comments !== undefined) process.stdout.write(`comments: ${JSON.stringify(result.comments.metrics)}\n`);
  if (comparison !== undefined) process.stdout.write(`${comparisonText(comparison, options.compare ?? '')}\n`);
}
