/**
 * What a run trains on: records turned into conversations about a video.
 *
 * Questions, distractors, option order and comments are drawn anew at every visit, as a function of (seed, epoch,
 * record) alone: any position of any epoch is reached without replaying what came before.
 */
import { DataError } from '../base/errors.js';
import { Rng } from '../base/rng.js';
import { dialogueOf } from '../data/conversation.js';
import type { Corpus } from '../data/corpus/open-corpus.js';
import { type TokenizedSample, type Turn, tokenizeSample } from '../data/prompt.js';
import { hasVideo, type VideoRecord } from '../data/record.js';
import { recordInput } from '../data/record-input.js';
import type { RecordList } from '../data/record-list.js';
import { buildCommentRequest, drawCommentTarget } from '../data/tasks/comment.js';
import { drawQuestion } from '../data/tasks/index.js';
import { CHOICE_TASKS, type ChoiceTaskName } from '../data/tasks/types.js';
import { answerText, promptText } from '../data/tasks/wording.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { VideoInput } from '../data/video/open-video.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { recordPath } from './bad-videos/bad-video.js';
import type { RunConfig } from './config.js';
import { DrawnSamples } from './drawn-samples.js';
import { visualBlockOf } from './visual-block-of.js';

type TaskName = ChoiceTaskName | 'comment';

export interface DrawnSample {
  readonly id: string;
  /** Null for text alone, and where the prompt's layout leaves the visual tokens out. */
  readonly video: VideoInput | null;
  readonly tokens: TokenizedSample;
}

export class TrainingData {
  private readonly drawn = new DrawnSamples();
  private readonly tasks: readonly { name: TaskName; weight: number }[];

  constructor(
    private readonly corpus: Corpus,
    private readonly tokenizer: Tokenizer,
    private readonly model: MimicChatModel,
    private readonly config: Pick<RunConfig, 'seed' | 'prompt' | 'data' | 'train'>,
  ) {
    const weights = config.data.taskWeights;
    this.tasks = [...CHOICE_TASKS, 'comment' as const].map((name) => ({ name, weight: weights[name] ?? 1 }));
  }

  /** Where a record's pixels are; null when nothing looks at them. */
  video(index: number): VideoInput | null {
    return this.config.prompt.layout === 'none' ? null : recordInput(this.corpus.root, this.record(index));
  }

  /** The same, with what the record and its file are called. */
  source(index: number): { readonly id: string; readonly path: string; readonly video: VideoInput | null } {
    const record = this.record(index);
    return { id: record.id, path: recordPath(record), video: this.video(index) };
  }

  get records(): RecordList {
    return this.corpus.records;
  }

  /** SHA-256 of all ids, one a line. */
  get idsSha256(): string {
    return this.corpus.idsSha256;
  }

  /** Characters of each record's texts: a hint at how long its samples may get, without drawing one. */
  get textLengths(): Int32Array {
    return this.corpus.textLengths;
  }

  dispose(): void {
    this.corpus.close();
  }

  /** @throws DataError when the record yields no task, or its tokens exceed train.maxLength */
  draw(epoch: number, index: number): DrawnSample {
    return this.drawn.take(epoch, index, () => this.drawAnew(epoch, index));
  }

  private drawAnew(epoch: number, index: number): DrawnSample {
    const record = this.record(index);
    const video = this.video(index);
    const { turns, prompt } = this.dialogue(epoch, index, record);
    const tokens = tokenizeSample(this.tokenizer, prompt, turns, visualBlockOf(this.model, video));
    const { maxLength } = this.config.train;
    if (tokens.ids.length > maxLength) {
      const { ids, numVisual } = tokens;
      throw new DataError(
        'E_SAMPLE_TOO_LONG',
        `Record ${record.id}: ${numVisual} visual + ${ids.length - numVisual} text tokens = ${ids.length}, train.maxLength is ${maxLength}.`,
        { hint: 'Lower data.turnsPerVideo, model.spatial.numFrames or model.temporal.pool, or raise train.maxLength.' },
      );
    }
    return { id: record.id, video, tokens };
  }

  /** A record's own conversation as it is, or questions about its video. */
  private dialogue(epoch: number, index: number, record: VideoRecord) {
    const { prompt } = this.config;
    const { conversations, images = [] } = record;
    if (conversations === undefined) return { turns: this.drawTurns(epoch, index, record), prompt };
    const video = hasVideo(record) ? 1 : 0;
    const { turns, systemPrompt } = dialogueOf(conversations, { images: images.length, video });
    if (systemPrompt === undefined) return { turns, prompt };
    if (prompt.template !== 'plain') return { turns, prompt: { ...prompt, systemPrompt } };
    // That template has no system turn.
    const [first = { prompt: '' }, ...rest] = turns;
    return { turns: [{ ...first, prompt: `${systemPrompt}\n${first.prompt}` }, ...rest], prompt };
  }

  private drawTurns(epoch: number, index: number, record: VideoRecord): readonly Turn[] {
    const rng = new Rng(this.config.seed, 'questions').fork(epoch).fork(index);
    const turns: Turn[] = [];
    // A task the record has no fields for is drawn again; a record without any is found by the bound.
    for (let tries = 0; turns.length < this.config.data.turnsPerVideo && tries < 64; tries++) {
      const turn = this.drawTurn(record, rng);
      if (turn !== null) turns.push(turn);
    }
    if (turns.length > 0) return turns;
    throw new DataError('E_RECORD_NO_TASK', `Record ${record.id} yields none of the weighted tasks.`, {
      hint: 'Give it title, description, tags, topic, category and comments, or raise data.taskWeights of a task it has.',
    });
  }

  private record(index: number): VideoRecord {
    const record = this.records.at(index);
    if (record === undefined) throw new RangeError(`TrainingData: record ${index} of ${this.records.length}`);
    return record;
  }

  private drawTurn(record: VideoRecord, rng: Rng): Turn | null {
    const total = this.tasks.reduce((sum, task) => sum + task.weight, 0);
    let left = rng.uniform() * total;
    const task = this.tasks.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    if (task === undefined) return null;
    const { wording } = this.config.prompt;
    if (task.name === 'comment') {
      const request = buildCommentRequest(record);
      if ('reason' in request) return null;
      return { prompt: promptText(request, wording), answer: drawCommentTarget(request, rng) };
    }
    const question = drawQuestion(task.name, record, this.corpus.index, rng);
    return 'reason' in question ? null : { prompt: promptText(question, wording), answer: answerText(question) };
  }
}
