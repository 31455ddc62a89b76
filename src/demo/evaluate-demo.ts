/** The demo's scores: the seven tasks on the test split, beside chance, a majority answerer and the model without video. */
import { buildBenchmark } from '../data/tasks/benchmark.js';
import { promptText } from '../data/tasks/wording.js';
import type { Answerer } from '../eval/answers.js';
import { majorityBaseline } from '../eval/baselines.js';
import { evaluateQuestions } from '../eval/evaluate.js';
import { ModelAnswerer } from '../eval/model-answerer.js';
import { type Scores, scoreAnswers } from '../eval/score.js';
import { collectCandidates } from '../infer/collect-candidates.js';
import type { MimicChat } from '../infer/mimic-chat.js';
import type { DemoClip } from './clips.js';

export interface DemoScores {
  readonly model: Scores;
  readonly textOnly: Scores;
  readonly majority: Scores;
  readonly questions: number;
}

export interface SampleComment {
  readonly clip: DemoClip;
  readonly comments: readonly string[];
}

export async function evaluateDemo(chat: MimicChat, clips: readonly DemoClip[], seed: number): Promise<DemoScores> {
  const { questions } = buildBenchmark(
    clips.map(({ record }) => record),
    seed,
  );
  const score = async (answerer: Answerer) => scoreAnswers(await evaluateQuestions(answerer, questions));
  return {
    model: await score(frameAnswerer(chat, clips)),
    textOnly: await score(new ModelAnswerer(chat, { dataRoot: '', textOnly: true })),
    majority: await score(majorityBaseline(questions)),
    questions: questions.length,
  };
}

/** Three comments on each of these clips. */
export async function writeComments(
  chat: MimicChat,
  clips: readonly DemoClip[],
  seed: number,
): Promise<SampleComment[]> {
  const written: SampleComment[] = [];
  for (const [i, clip] of clips.entries()) {
    const session = await chat.encode(clip.video);
    try {
      const candidates = await collectCandidates(
        session.commentCandidates({ seed: 1000 * seed + i, n: 3, maxTokens: 12 }),
      );
      written.push({ clip, comments: candidates.map(({ text }) => text) });
    } finally {
      session.dispose();
    }
  }
  return written;
}

/** Answers from frames that are decoded already. */
function frameAnswerer(chat: MimicChat, clips: readonly DemoClip[]): Answerer {
  const byPath = new Map(clips.map((clip) => [clip.record.video_path, clip]));
  return {
    async answerVideo(videoPath, questions) {
      const clip = byPath.get(videoPath);
      if (clip === undefined) throw new RangeError(`evaluateDemo: no clip ${videoPath}`);
      const session = await chat.encode(clip.video);
      try {
        const rows: { probabilities: number[] }[] = [];
        for (const question of questions) {
          const prompt = promptText(question, chat.parts.prompt.wording);
          rows.push({ probabilities: await session.letterProbabilities(prompt, question.options.length) });
        }
        return rows;
      } finally {
        session.dispose();
      }
    },
  };
}
