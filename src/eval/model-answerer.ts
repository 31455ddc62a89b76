import type { ChoiceQuestion, CommentRequest, VideoSource } from '../data/tasks/types.js';
import { promptText } from '../data/tasks/wording.js';
import { openVideo, videoInput } from '../data/video/open-video.js';
import { collectCandidates } from '../infer/collect-candidates.js';
import type { MimicChat } from '../infer/mimic-chat.js';
import type { VideoSession } from '../infer/video-session.js';
import type { Answerer } from './answers.js';

export interface ModelAnswererOptions {
  /** Folder that video paths are relative to. */
  readonly dataRoot: string;
  /** Answer without the video: what the language alone knows. */
  readonly textOnly?: boolean;
}

/** Asks a checkpoint: a video is encoded once, each of its questions runs on a fork of that prefix. */
export class ModelAnswerer implements Answerer {
  constructor(
    private readonly chat: MimicChat,
    private readonly options: ModelAnswererOptions,
  ) {}

  async answerVideo(
    _videoPath: string,
    questions: readonly ChoiceQuestion[],
  ): Promise<{ readonly probabilities: readonly number[] }[]> {
    const [first] = questions;
    if (first === undefined) return [];
    const session = await this.open(first);
    try {
      const rows = [];
      for (const question of questions) {
        const prompt = promptText(question, this.chat.parts.prompt.wording);
        rows.push({ probabilities: await session.letterProbabilities(prompt, question.options.length) });
      }
      return rows;
    } finally {
      session.dispose();
    }
  }

  /** One comment, the same for the same seed. */
  async writeComment(request: CommentRequest, seed: number): Promise<string> {
    const session = await this.open(request);
    try {
      const [comment] = await collectCandidates(session.commentCandidates({ seed }));
      return comment?.text ?? '';
    } finally {
      session.dispose();
    }
  }

  private async open(source: VideoSource): Promise<VideoSession> {
    if (this.options.textOnly === true) return this.chat.textOnly();
    return this.chat.encode(await openVideo(videoInput(this.options.dataRoot, source), this.chat.parts.sampling));
  }
}
