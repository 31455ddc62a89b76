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
import { collate, totalWeight } from './batch.js';
import { choiceAccuracy } from './choice-accuracy.js';
import type { RunConfig } from './config.js';
import type { FeatureSource } from './feature-source.js';
import type { Trainer } from './trainer.js';

export interface ValidationResult {
  readonly loss: number;
  /** Mean of the tasks' accuracies. */
  readonly accuracy: number;
  readonly byTask: Readonly<Partial<Record<ChoiceTaskName, number>>>;
  readonly questions: number;
}

export class Validation {
  private readonly questions: readonly ChoiceQuestion[];

  constructor(
    records: readonly VideoRecord[],
    private readonly root: string,
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

  async run(trainer: Trainer, features: FeatureSource): Promise<ValidationResult> {
    const { model, tokenizer, config } = this;
    const visual = model.visualBlock();
    const tally = new Map<ChoiceTaskName, { right: number; asked: number }>();
    let loss = 0;
    let weight = 0;
    // One batch holds one task, so that its letters count for that task.
    for (const [task, questions] of groupByTask(this.questions)) {
      for (let start = 0; start < questions.length; start += config.train.batchSize * config.data.turnsPerVideo) {
        const asked = questions.slice(start, start + config.train.batchSize * config.data.turnsPerVideo);
        const videos = await features.take(asked.map((question) => videoInput(this.root, question)));
        const samples = asked.map((question, i) => {
          const turn = { prompt: promptText(question, config.prompt.wording), answer: answerText(question) };
          const tokens = tokenizeSample(tokenizer, config.prompt, [turn], visual);
          return { id: question.id, tokens, features: videos[i] ?? null };
        });
        const batch = collate(samples, 'token');
        const batchWeight = totalWeight([batch]);
        loss += trainer.loss([batch]) * batchWeight;
        weight += batchWeight;
        const counts = tally.get(task) ?? { right: 0, asked: 0 };
        const result = choiceAccuracy(model, batch, this.letterIds);
        tally.set(task, { right: counts.right + result.right, asked: counts.asked + result.asked });
        await new Promise(setImmediate);
      }
    }
    const byTask = Object.fromEntries([...tally].map(([task, { right, asked }]) => [task, right / asked]));
    const accuracies = Object.values(byTask);
    return {
      loss: loss / weight,
      accuracy: accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length,
      byTask,
      questions: this.questions.length,
    };
  }
}

function groupByTask(questions: readonly ChoiceQuestion[]): Map<ChoiceTaskName, ChoiceQuestion[]> {
  const groups = new Map<ChoiceTaskName, ChoiceQuestion[]>();
  for (const question of questions) groups.set(question.task, [...(groups.get(question.task) ?? []), question]);
  return groups;
}
