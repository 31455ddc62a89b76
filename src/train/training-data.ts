/**
 * What a run trains on: records turned into conversations about a video.
 *
 * Questions, distractors, option order and comments are drawn anew at every visit, as a function of (seed, epoch,
 * record) alone: any position of any epoch is reached without replaying what came before.
 */
import { DataError } from '../base/errors.js';
import { Rng } from '../base/rng.js';
import { type TokenizedSample, type Turn, tokenizeSample } from '../data/prompt.js';
import type { VideoRecord } from '../data/record.js';
import { buildCommentRequest, drawCommentTarget } from '../data/tasks/comment.js';
import type { CorpusIndex } from '../data/tasks/corpus-index.js';
import { drawQuestion } from '../data/tasks/index.js';
import { CHOICE_TASKS, type ChoiceTaskName } from '../data/tasks/types.js';
import { videoSource } from '../data/tasks/video-source.js';
import { answerText, promptText } from '../data/tasks/wording.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { type VideoInput, videoInput } from '../data/video/open-video.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { RunConfig } from './config.js';

type TaskName = ChoiceTaskName | 'comment';

export interface DrawnSample {
  readonly id: string;
  readonly video: VideoInput;
  readonly tokens: TokenizedSample;
}

export class TrainingData {
  private readonly tasks: readonly { name: TaskName; weight: number }[];

  constructor(
    readonly records: readonly VideoRecord[],
    private readonly root: string,
    private readonly index: CorpusIndex,
    private readonly tokenizer: Tokenizer,
    private readonly model: MimicChatModel,
    private readonly config: Pick<RunConfig, 'seed' | 'prompt' | 'data' | 'train'>,
  ) {
    const weights = config.data.taskWeights;
    this.tasks = [...CHOICE_TASKS, 'comment' as const].map((name) => ({ name, weight: weights[name] ?? 1 }));
  }

  /** Where a record's pixels are. */
  video(index: number): VideoInput {
    return videoInput(this.root, videoSource(this.record(index)));
  }

  /** @throws DataError when the record yields no task, or its tokens exceed train.maxLength */
  draw(epoch: number, index: number): DrawnSample {
    const record = this.record(index);
    const rng = new Rng(this.config.seed, 'questions').fork(epoch).fork(index);
    const turns: Turn[] = [];
    // A task the record has no fields for is drawn again; a record without any is found by the bound.
    for (let tries = 0; turns.length < this.config.data.turnsPerVideo && tries < 64; tries++) {
      const turn = this.drawTurn(record, rng);
      if (turn !== null) turns.push(turn);
    }
    if (turns.length === 0) {
      throw new DataError('E_RECORD_NO_TASK', `Record ${record.id} yields none of the weighted tasks.`, {
        hint: 'Give it title, description, tags, topic, category and comments, or raise data.taskWeights of a task it has.',
      });
    }
    const tokens = tokenizeSample(this.tokenizer, this.config.prompt, turns, this.model.visualBlock());
    const { maxLength } = this.config.train;
    if (tokens.ids.length > maxLength) {
      const { ids, numVisual } = tokens;
      throw new DataError(
        'E_SAMPLE_TOO_LONG',
        `Record ${record.id}: ${numVisual} visual + ${ids.length - numVisual} text tokens = ${ids.length}, train.maxLength is ${maxLength}.`,
        { hint: 'Lower data.turnsPerVideo, model.spatial.numFrames or model.temporal.pool, or raise train.maxLength.' },
      );
    }
    return { id: record.id, video: this.video(index), tokens };
  }

  private record(index: number): VideoRecord {
    const record = this.records[index];
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
    const question = drawQuestion(task.name, record, this.index, rng);
    return 'reason' in question ? null : { prompt: promptText(question, wording), answer: answerText(question) };
  }
}
