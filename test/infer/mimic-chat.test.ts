import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenizeSample } from '../../src/data/prompt.js';
import { SamplingSchema } from '../../src/data/video/sampling.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import type { VideoFrames } from '../../src/model/frames.js';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { PORTABLE_BACKENDS, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { randomVideo, tinyConfig, tinyModel } from '../support/tiny-model.js';
import { byteTokenizer } from './byte-tokenizer.js';
import { plainTerse } from './mock-session.js';

/** Logits after `ids` in one pass over the whole sequence, without a cache: the obvious twin of the session. */
function recomputed(model: MimicChatModel, video: VideoFrames | null, ids: Int32Array): Float32Array {
  const features = video === null ? null : model.encodeFrames(video);
  const logits = tf.tidy(() => {
    const visual = features === null ? null : model.visualTokens([features]);
    const hidden = model.decode(model.embed(ids, 1, ids.length, visual));
    const last = tf.slice(hidden, [0, ids.length - 1, 0], [1, 1, -1]);
    return model.logits(tf.reshape(last, [1, -1]) as tf.Tensor2D).dataSync<'float32'>();
  });
  features?.dispose();
  return logits;
}

// Largest log ratio measured: cpu and fused formulas 2e-16, wasm 3.0e-7 (another order of summation).
const LOG_RATIO_TOLERANCE = 1.2e-6;

describe.each(PORTABLE_BACKENDS)('MimicChat on a random model, $label', (backend) => {
  useBackend(backend);
  checkLeaks();
  let model: MimicChatModel;
  let chat: MimicChat;
  beforeAll(() => {
    model = tinyModel({ language: { ...tinyConfig().language, vocabSize: byteTokenizer.vocabSize } });
    const sampling = SamplingSchema.parse({ size: 8, numFrames: 2 });
    chat = new MimicChat({ model, tokenizer: byteTokenizer, prompt: plainTerse, sampling, contextLength: 200 });
  });
  afterAll(() => chat.dispose());

  const promptOf = (text: string, withVideo: boolean) => {
    const visual = { count: model.numVisualTokens(), vidId: model.vidId, sepId: model.sepId };
    return tokenizeSample(byteTokenizer, plainTerse, [{ prompt: text }], withVideo ? visual : null).ids;
  };

  it.each([true, false])('gives the letter likelihoods of a full recomputation (video: %s)', async (withVideo) => {
    const video = withVideo ? randomVideo(model.config, 4) : null;
    const session = video === null ? chat.textOnly() : await chat.encode(video);
    for (const question of ['title ?', 'which one is it ?']) {
      const { probabilities } = await session.choose(question, ['x', 'yy', 'z']);
      const logits = recomputed(model, video, promptOf(`${question} A x B yy C z answer`, withVideo));
      const letters = [65, 66, 67].map((id) => logits[id] ?? Number.NaN);
      for (const [i, p] of probabilities.entries()) {
        const [a = 0, b = 0] = [p / (probabilities[0] ?? 0), Math.exp((letters[i] ?? 0) - (letters[0] ?? 0))];
        expect(Math.abs(Math.log(a / b))).toBeLessThan(LOG_RATIO_TOLERANCE);
      }
    }
    session.dispose();
  });

  it('writes greedily what a full recomputation of every step writes', async () => {
    const video = randomVideo(model.config, 5);
    const session = await chat.encode(video);
    const prompt = promptOf('hello', true);
    let ids = prompt;
    for (let step = 0; step < 6; step++) {
      const logits = recomputed(model, video, ids);
      ids = Int32Array.from([...ids, logits.indexOf(Math.max(...logits))]);
    }
    let text = '';
    for await (const piece of session.generate('hello', { temperature: 0, maxTokens: 6 })) text += piece;
    expect(text).toBe(byteTokenizer.decode(Array.from(ids.subarray(prompt.length))));
    session.dispose();
  });

  it('sees the video: other frames give other probabilities', async () => {
    const rows = [];
    for (const seed of [1, 2]) {
      const session = await chat.encode(randomVideo(model.config, seed));
      rows.push((await session.choose('title ?', ['x', 'y'])).probabilities[0]);
      session.dispose();
    }
    expect(Math.abs((rows[0] ?? 0) - (rows[1] ?? 0))).toBeGreaterThan(1e-4);
  });

  it('gives the same comment for the same seed', async () => {
    const session = await chat.encode(randomVideo(model.config, 6));
    const write = async (seed: number) => {
      const events = [];
      for await (const event of session.commentCandidates({ seed, maxTokens: 12, n: 2 })) events.push(event);
      return events;
    };
    expect(await write(3)).toEqual(await write(3));
    expect(await write(3)).not.toEqual(await write(4));
    session.dispose();
  });

  it('refuses text that outgrows the context, with the sum, and stays usable', async () => {
    const session = await chat.encode(randomVideo(model.config, 6));
    await expect(session.choose('x'.repeat(300), ['a', 'b'])).rejects.toThrow(
      /a sequence of 14 tokens cannot take 315 more: got 329, expected 1 to 186 new ones within a context of 200/,
    );
    expect((await session.choose('q ?', ['a', 'b'])).probabilities).toHaveLength(2);
    session.dispose();
  });

  it('refuses to watch a video with a model that was trained on text alone', async () => {
    const textModel = new MimicChat({ ...chat.parts, prompt: { ...plainTerse, layout: 'none' } });
    await expect(textModel.encode(randomVideo(model.config, 1))).rejects.toThrow(
      'prompt.layout: got none, expected paper',
    );
  });

  it('stops before encoding when aborted', async () => {
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(chat.encode(randomVideo(model.config, 1), { signal })).rejects.toThrow('gone');
  });
});
