/** One run of the table: tuning, then the test split's questions, all through the features that the base's runs share. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.js';
import type { ChoiceQuestion } from '../data/tasks/types.js';
import { promptText } from '../data/tasks/wording.js';
import { videoInput } from '../data/video/open-video.js';
import type { Answerer } from '../eval/answers.js';
import { evaluateQuestions } from '../eval/evaluate.js';
import { MimicChat } from '../infer/mimic-chat.js';
import { findLatestCheckpoint } from '../train/checkpoint.js';
import type { RunConfig } from '../train/config.js';
import type { FeatureSource } from '../train/features/feature-source.js';
import { type TuneStep, tune } from '../train/tune.js';
import type { AblationBase } from './bases.js';
import { encodeChoices, RUN_FORMAT, type RunKey, type RunResult, RunResultSchema } from './result.js';

export interface VariantRun {
  readonly key: RunKey;
  readonly config: RunConfig;
  readonly base: AblationBase;
  readonly features: FeatureSource;
  readonly questions: readonly ChoiceQuestion[];
  readonly identity: Pick<RunResult, 'configSha256' | 'baseSha256' | 'questionsSha256' | 'commit'>;
  readonly signal: AbortSignal;
  readonly onStep: (step: TuneStep) => void;
}

export const runDir = (config: RunConfig): string => join(config.out, config.name);

/** The result of a finished run. @throws ZodError or SyntaxError when the file is not one */
export async function finishedRun(config: RunConfig): Promise<RunResult | undefined> {
  const path = join(runDir(config), 'result.json');
  return existsSync(path) ? RunResultSchema.parse(JSON.parse(await readFile(path, 'utf8'))) : undefined;
}

/** Goes on from the run's newest checkpoint where there is one. @returns undefined when the signal ended it, after a checkpoint */
export async function runVariant(run: VariantRun): Promise<RunResult | undefined> {
  const { config, key, questions, features, base, signal } = run;
  const started = performance.now();
  const { latest } = await findLatestCheckpoint(runDir(config));
  const tuned = await tune({
    ...{ config, features, frames: base.frames, signal, onStep: run.onStep },
    resume: latest !== undefined,
  });
  if (tuned.reason === 'interrupted') return undefined;
  const between = performance.now();
  const chat = await MimicChat.load(tuned.checkpointDir);
  try {
    const answers = await evaluateQuestions(answerer(chat, features, base.testRoot), questions, { signal });
    const result: RunResult = {
      format: RUN_FORMAT,
      ...key,
      ...run.identity,
      ...{ steps: tuned.steps, reason: tuned.reason, best: tuned.best },
      seconds: { tuning: (between - started) / 1000, evaluation: (performance.now() - between) / 1000 },
      choices: encodeChoices(answers.map(({ choice }) => choice)),
    };
    await writeFileAtomic(join(runDir(config), 'result.json'), `${JSON.stringify(result)}\n`);
    return result;
  } finally {
    chat.dispose();
  }
}

/** The same path for every variant; a model that was trained without video is asked without it. */
function answerer(chat: MimicChat, features: FeatureSource, root: string): Answerer {
  const { prompt } = chat.parts;
  const open = async (question: ChoiceQuestion) => {
    if (prompt.layout === 'none') return chat.textOnly();
    const [seen] = await features.take([videoInput(root, question)]);
    if (seen === undefined) throw new RangeError(`no features of ${question.videoId}`);
    return chat.session(seen);
  };
  return {
    async answerVideo(_videoPath, questions) {
      const [first] = questions;
      if (first === undefined) return [];
      const session = await open(first);
      try {
        const rows: { probabilities: number[] }[] = [];
        for (const question of questions) {
          const text = promptText(question, prompt.wording);
          rows.push({ probabilities: await session.letterProbabilities(text, question.options.length) });
        }
        return rows;
      } finally {
        session.dispose();
      }
    },
  };
}
