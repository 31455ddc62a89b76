import { describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.js';
import type { Answer, Answerer } from '../../src/eval/answers.js';
import { evaluateQuestions } from '../../src/eval/evaluate.js';
import { question } from './question.js';

const questions = [question('q1', 'a'), question('q2', 'b'), question('q3', 'a', { answer: 2 }), question('q4', 'c')];

/** Answers C with certainty, and records what it was asked. */
function recorder(fail: (videoPath: string, ids: string[]) => Error | undefined = () => undefined) {
  const asked: string[] = [];
  const answerer: Answerer = {
    async answerVideo(videoPath, ofVideo) {
      const ids = ofVideo.map(({ id }) => id);
      asked.push(`${videoPath}: ${ids.join(' ')}`);
      const error = fail(videoPath, ids);
      if (error !== undefined) throw error;
      return ofVideo.map(() => ({ probabilities: [0.1, 0.2, 0.6, 0.1] }));
    },
  };
  return { asked, answerer };
}

describe('evaluateQuestions', () => {
  it('asks all questions of a video at once, and answers in the order of the questions', async () => {
    const { asked, answerer } = recorder();
    const answers = await evaluateQuestions(answerer, questions);
    expect(asked).toEqual(['a.mp4: q1 q3', 'b.mp4: q2', 'c.mp4: q4']);
    expect(answers.map(({ questionId, choice, answer }) => [questionId, choice, answer])).toEqual([
      ['q1', 2, 0],
      ['q2', 2, 0],
      ['q3', 2, 2],
      ['q4', 2, 0],
    ]);
    expect(answers[0]?.probabilities).toEqual([0.1, 0.2, 0.6, 0.1]);
  });

  it('hands over the answers of each video as they come', async () => {
    const batches: string[][] = [];
    await evaluateQuestions(recorder().answerer, questions, {
      onAnswers: (answers) => {
        batches.push(answers.map(({ questionId }) => questionId));
      },
    });
    expect(batches).toEqual([['q1', 'q3'], ['q2'], ['q4']]);
  });

  it('does not ask again what is known', async () => {
    const first = await evaluateQuestions(recorder().answerer, questions.slice(0, 2));
    const { asked, answerer } = recorder();
    const answers = await evaluateQuestions(answerer, questions, {
      known: new Map(first.map((answer): [string, Answer] => [answer.questionId, answer])),
    });
    expect(asked).toEqual(['a.mp4: q3', 'c.mp4: q4']);
    expect(answers.map(({ questionId }) => questionId)).toEqual(['q1', 'q2', 'q3', 'q4']);
  });

  it('counts the questions of a video that cannot be used as failed, and goes on', async () => {
    const { answerer } = recorder((path) =>
      path === 'a.mp4' ? new DataError('E_VIDEO_TRUNCATED', 'a.mp4: cut') : undefined,
    );
    const answers = await evaluateQuestions(answerer, questions);
    expect(answers.map(({ choice }) => choice)).toEqual([null, 2, null, 2]);
    expect(answers[0]?.error).toEqual({ code: 'E_VIDEO_TRUNCATED', message: 'a.mp4: cut' });
  });

  it('fails only the question that is too long', async () => {
    const { answerer } = recorder((_, ids) =>
      ids.includes('q3') ? new ConfigError('E_CONTEXT_LENGTH', 'too long') : undefined,
    );
    const answers = await evaluateQuestions(answerer, questions);
    expect(answers.map(({ choice }) => choice)).toEqual([2, 2, null, 2]);
  });

  it("stops at an error that is not the sample's", async () => {
    const { answerer } = recorder(() => new Error('device lost'));
    await expect(evaluateQuestions(answerer, questions)).rejects.toThrow('device lost');
  });

  it('stops before the next video when aborted', async () => {
    const controller = new AbortController();
    const { asked, answerer } = recorder();
    const run = evaluateQuestions(answerer, questions, {
      signal: controller.signal,
      onAnswers: () => controller.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
    expect(asked).toHaveLength(1);
  });

  it.each([
    [[], 'the answerer returned 0 answers, expected 1'],
    [[{ probabilities: [1, 0] }], 'question q: got [1,0], expected 4 probabilities'],
    [[{ probabilities: [Number.NaN, 0, 0, 1] }], 'question q: got [NaN,0,0,1], expected 4 probabilities'],
  ])('refuses the rows %j', async (rows, message) => {
    await expect(evaluateQuestions({ answerVideo: async () => rows }, [question('q', 'v')])).rejects.toThrow(message);
  });

  it('takes the first option on ties', async () => {
    const flat: Answerer = {
      answerVideo: async (_, all) => all.map(() => ({ probabilities: [0.25, 0.25, 0.25, 0.25] })),
    };
    expect((await evaluateQuestions(flat, [question('q', 'v')]))[0]?.choice).toBe(0);
  });
});
