/** Accuracy on held-out records during training: the same questions, built once, at every validation. */
import { Rng } from '../base/rng.js';
import { tokenizeSample } from '../data/prompt.js';
import type { VideoRecord } from '../data/record.js';
import { buildBenchmark } from '../data/tasks/benchmark.js';
import type { ChoiceQuestion, ChoiceTaskName } from '../data/tasks/types.js';
import { answerText, promptText } from '../data/tasks/wording.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { videoInput } from '../data/video/open-video.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { DECODED, NOT_TRIED, type Outcome } from './bad-videos/bad-video.js';
import type { BadVideoLedger, Settled } from './bad-videos/ledger.js';
import { takeGood } from './bad-videos/take-good.js';
import { collate, totalWeight } from './batch.js';
import { choiceAccuracy } from './choice-accuracy.js';
import type { RunConfig } from './config.js';
import type { FeatureSource } from './features/feature-source.js';
import { Ranks, sumByPlace } from './ranks.js';
import type { Trainer } from './trainer.js';

export interface ValidationResult {
  readonly loss: number;
  /** Mean of the tasks' accuracies. */
  readonly accuracy: number;
  readonly byTask: Readonly<Partial<Record<ChoiceTaskName, number>>>;
  /** Answered: those about bad videos are left out. */
  readonly questions: number;
}

export class Validation {
  readonly questions: readonly ChoiceQuestion[];

  constructor(
    readonly records: readonly VideoRecord[],
    readonly root: string,
    private readonly tokenizer: Tokenizer,
    private readonly model: MimicChatModel,
    private readonly letterIds: readonly number[],
    private readonly config: Pick<RunConfig, 'seed' | 'prompt' | 'data' | 'train'>,
  ) {
    const all = buildBenchmark(records, config.seed).questions;
    // A seeded draw: every k-th one would always meet the same tasks, since each record yields as many.
    const order = new Rng(config.seed, 'validation-questions').shuffle([...all.keys()]);
    const kept = new Set(order.slice(0, config.data.validationQuestions));
    this.questions = all.filter((_, i) => kept.has(i));
  }

  /**
   * A collective where there are several ranks: each answers its share of the questions.
   *
   * @param ledger videos to leave out, and where those that turn out bad are entered; without one they end the run
   */
  async run(
    trainer: Trainer,
    features: FeatureSource,
    ranks = new Ranks(),
    step = 0,
    ledger?: BadVideoLedger,
  ): Promise<{ readonly result: ValidationResult; readonly settled: Settled }> {
    const batches = this.batches();
    const { told } = await ranks.phase(
      'validation',
      step,
      async () => {
        const scores = batches.map(({ questions }) => [0, 0, 0, ...questions.map(() => DECODED)]);
        for (const index of ranks.deal(batches.length, step)) {
          scores[index] = await this.score(batches[index]?.questions ?? [], trainer, features, ledger);
          await new Promise(setImmediate);
        }
        return scores.flat();
      },
      (scores) => scores,
    );
    const sums = sumByPlace(told);
    const tally = new Map<ChoiceTaskName, { right: number; asked: number }>();
    let loss = 0;
    let weight = 0;
    const outcomes: Outcome[] = [];
    for (const { task, questions } of batches) {
      const [batchLoss = 0, batchWeight = 0, right = 0, ...became] = sums.splice(0, 3 + questions.length);
      outcomes.push(...became);
      loss += batchLoss;
      weight += batchWeight;
      const counts = tally.get(task) ?? { right: 0, asked: 0 };
      tally.set(task, { right: counts.right + right, asked: counts.asked + countDecoded(became) });
    }
    const asked = batches.flatMap(({ questions }) => questions.map((question) => sourceOf(question)));
    const settled = ledger?.settle(step, asked, outcomes) ?? { found: [] };
    const answered = [...tally].filter(([, counts]) => counts.asked > 0);
    const byTask = Object.fromEntries(answered.map(([task, { right, asked }]) => [task, right / asked]));
    const accuracies = Object.values(byTask);
    const result = {
      loss: loss / weight,
      accuracy: accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length,
      byTask,
      questions: countDecoded(outcomes),
    };
    return { result, settled };
  }

  /** One batch holds one task, so that its letters count for that task. */
  private batches(): { readonly task: ChoiceTaskName; readonly questions: readonly ChoiceQuestion[] }[] {
    const size = this.config.train.batchSize * this.config.data.turnsPerVideo;
    return [...groupByTask(this.questions)].flatMap(([task, questions]) =>
      Array.from({ length: Math.ceil(questions.length / size) }, (_, i) => {
        return { task, questions: questions.slice(i * size, (i + 1) * size) };
      }),
    );
  }

  /** @returns the summed loss, its weight, how many answers were right, and what became of each question's video */
  private async score(
    asked: readonly ChoiceQuestion[],
    trainer: Trainer,
    features: FeatureSource,
    ledger: BadVideoLedger | undefined,
  ): Promise<number[]> {
    const { model, tokenizer, config } = this;
    const visual = model.visualBlock();
    const tried = asked.filter(({ videoId }) => ledger?.isOut(videoId) !== true);
    const sources = tried.map((question) => ({ id: question.videoId, video: videoInput(this.root, question) }));
    const taken = await takeGood(features, sources, ledger === undefined ? { badVideo: 'error' } : config.data);
    const samples = tried.flatMap((question, i) => {
      const held = taken[i]?.features ?? null;
      if (held === null) return [];
      const turn = { prompt: promptText(question, config.prompt.wording), answer: answerText(question) };
      const tokens = tokenizeSample(tokenizer, config.prompt, [turn], visual);
      return [{ id: question.id, tokens, features: held }];
    });
    const outcomes = asked.map((question) => taken[tried.indexOf(question)]?.outcome ?? NOT_TRIED);
    if (samples.length === 0) return [0, 0, 0, ...outcomes];
    const batch = collate(samples, 'token');
    const weight = totalWeight([batch]);
    const loss = trainer.loss([batch]) * weight;
    return [loss, weight, choiceAccuracy(model, batch, this.letterIds).right, ...outcomes];
  }
}

function countDecoded(outcomes: readonly Outcome[]): number {
  return outcomes.filter((outcome) => outcome === DECODED).length;
}

/** What a bad video is listed as. */
function sourceOf({ videoId, videoPath, frames }: ChoiceQuestion): { id: string; path: string } {
  return { id: videoId, path: frames?.[0] ?? videoPath };
}

function groupByTask(questions: readonly ChoiceQuestion[]): Map<ChoiceTaskName, ChoiceQuestion[]> {
  const groups = new Map<ChoiceTaskName, ChoiceQuestion[]>();
  for (const question of questions) groups.set(question.task, [...(groups.get(question.task) ?? []), question]);
  return groups;
}
