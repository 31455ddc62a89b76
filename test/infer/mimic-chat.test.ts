import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImageTiles } from '../../src/data/image.js';
import { type PromptConfig, PromptSchema, tokenizeSample } from '../../src/data/prompt.js';
import { SamplingSchema } from '../../src/data/video/sampling.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import type { VideoFrames } from '../../src/model/frames.js';
import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import type { VideoFeatures } from '../../src/model/video-features.js';
import { PORTABLE_BACKENDS, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { randomVideo, tinyConfig, tinyModel } from '../support/tiny-model.js';
import { byteTokenizer } from './byte-tokenizer.js';
import { plainTerse } from './mock-session.js';

/** Logits after `ids` in one pass over the whole sequence, without a cache: the obvious twin of the session. */
function recomputed(model: MimicChatModel, video: VideoFrames | null, ids: Int32Array): Float32Array {
  const features = video === null ? null : model.encodeFrames(video);
  const logits = recomputedFrom(model, features, ids);
  features?.dispose();
  return logits;
}

function recomputedFrom(model: MimicChatModel, features: VideoFeatures | null, ids: Int32Array): Float32Array {
  return tf.tidy(() => {
    const visual = features === null ? null : model.visualTokens([features]);
    const hidden = model.decode(model.embed(ids, 1, ids.length, visual));
    const last = tf.slice(hidden, [0, ids.length - 1, 0], [1, 1, -1]);
    return model.logits(tf.reshape(last, [1, -1]) as tf.Tensor2D).dataSync<'float32'>();
  });
}

// Largest log ratio measured: cpu and fused formulas 2e-16, wasm 3.0e-7 (another order of summation).
const LOG_RATIO_TOLERANCE = 1.2e-6;

describe.each(PORTABLE_BACKENDS)('MimicChat on a random model, $label', (backend) => {
  useBackend(backend);
  checkLeaks();
  let model: MimicChatModel;
  let chat: MimicChat;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mimic-chat-'));
    model = tinyModel({ language: { ...tinyConfig().language, vocabSize: byteTokenizer.vocabSize } });
    const sampling = SamplingSchema.parse({ size: 8, numFrames: 2 });
    chat = new MimicChat({ model, tokenizer: byteTokenizer, prompt: plainTerse, sampling, contextLength: 200 });
  });
  afterAll(async () => {
    chat.dispose();
    await rm(folder, { recursive: true });
  });

  const promptOf = (text: string, prompt: PromptConfig | null) => {
    const visual = prompt === null ? null : model.visualBlock();
    return tokenizeSample(byteTokenizer, prompt ?? plainTerse, [{ prompt: text }], visual).ids;
  };

  const internvl = PromptSchema.parse({ layout: 'internvl', wording: 'terse', systemPrompt: '' });
  it.each([
    { video: 'in the paper layout', prompt: plainTerse },
    { video: 'in the layout of InternVL', prompt: internvl },
    { video: 'absent', prompt: null },
  ])('gives the letter likelihoods of a full recomputation (video $video)', async ({ prompt }) => {
    const video = prompt === null ? null : randomVideo(model.config, 4);
    const asking = new MimicChat({ ...chat.parts, prompt: prompt ?? plainTerse });
    const session = video === null ? asking.textOnly() : await asking.encode(video);
    for (const question of ['title ?', 'which one is it ?']) {
      const { probabilities } = await session.choose(question, ['x', 'yy', 'z']);
      const logits = recomputed(model, video, promptOf(`${question} A x B yy C z answer`, prompt));
      const letters = [65, 66, 67].map((id) => logits[id] ?? Number.NaN);
      for (const [i, p] of probabilities.entries()) {
        const [a = 0, b = 0] = [p / (probabilities[0] ?? 0), Math.exp((letters[i] ?? 0) - (letters[0] ?? 0))];
        expect(Math.abs(Math.log(a / b))).toBeLessThan(LOG_RATIO_TOLERANCE);
      }
    }
    session.dispose();
  });

  it('answers about a picture file from its tiles, as many as its shape asks for', async () => {
    const path = join(folder, 'picture');
    const asking = new MimicChat({ ...chat.parts, prompt: internvl });
    for (const [width, tiles] of [
      [8, 1],
      [24, 4],
    ] as const) {
      const noise = Uint8Array.from({ length: width * 8 * 3 }, (_, i) => (i * 97) % 251);
      await writeFile(
        path,
        await sharp(noise, { raw: { width, height: 8, channels: 3 } })
          .png()
          .toBuffer(),
      );
      const session = await asking.encode(path);
      const { probabilities } = await session.choose('title ?', ['x', 'yy']);
      session.dispose();
      const features = model.encodeImage(await decodeImageTiles(path, { size: 8, maxTiles: 12, thumbnail: true }));
      expect(features.spatial_ND.shape[0]).toBe(tiles * 4);
      const prompt = [{ prompt: 'title ? A x B yy answer' }];
      const ids = tokenizeSample(byteTokenizer, internvl, prompt, model.visualBlock(features)).ids;
      const logits = recomputedFrom(model, features, ids);
      features.dispose();
      const odds = Math.log((probabilities[1] ?? 0) / (probabilities[0] ?? 0));
      expect(Math.abs(odds - ((logits[66] ?? 0) - (logits[65] ?? 0)))).toBeLessThan(LOG_RATIO_TOLERANCE);
    }
  });

  it('writes greedily what a full recomputation of every step writes', async () => {
    const video = randomVideo(model.config, 5);
    const session = await chat.encode(video);
    const prompt = promptOf('hello', plainTerse);
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
      'prompt.layout: got none, expected paper or internvl',
    );
  });

  it('stops before encoding when aborted', async () => {
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(chat.encode(randomVideo(model.config, 1), { signal })).rejects.toThrow('gone');
  });
});
