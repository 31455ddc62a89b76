import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Ablation } from '../../src/model/config.js';
import type { VideoFrames } from '../../src/model/frames.js';
import { type MimicChatModel, VISUAL_ID } from '../../src/model/mimic-chat.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { randomFrames, randomVideo, tinyModel } from '../support/tiny-model.js';

function answer(model: MimicChatModel, video: VideoFrames): number[] {
  const visual = new Array<number>(model.numVisualTokens()).fill(VISUAL_ID);
  const ids = Int32Array.from([model.vidId, ...visual, model.sepId, 4, 8]);
  const features = model.encodeFrames(video);
  const logits = tf.tidy(() => {
    const embeds = model.embed(ids, 1, ids.length, model.visualTokens([features]));
    const hidden = tf.slice(model.decode(embeds), [0, ids.length - 1, 0], [1, 1, -1]);
    return Array.from(model.logits(tf.reshape(hidden, [1, -1]) as tf.Tensor2D).dataSync());
  });
  features.dispose();
  return logits;
}

const moved = (a: number[], b: number[]) => Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))));

describe('MIMIC-Chat', () => {
  useBackend(CPU);
  checkLeaks();

  const sees = (ablate: Ablation | 'none') => {
    const model = tinyModel({ ablate });
    const video = randomVideo(model.config, 10);
    const base = answer(model, video);
    const spatial = moved(base, answer(model, { ...video, spatial: randomFrames(2, 8, 77) }));
    const temporal = moved(base, answer(model, { ...video, temporal: randomFrames(5, 8, 78) }));
    model.dispose();
    return { spatial: spatial > 1e-4, temporal: temporal > 1e-4, exactTemporal: temporal };
  };

  it('answers from both branches', () => {
    expect(sees('none')).toMatchObject({ spatial: true, temporal: true });
  });

  it('without the temporal encoder the full sequence changes nothing at all', () => {
    expect(sees('no-temporal-encoder')).toMatchObject({ spatial: true, exactTemporal: 0 });
  });

  it.each(['no-temporal-projector', 'no-spatial-projector'] as const)('%s still sees both branches', (ablate) => {
    expect(sees(ablate)).toMatchObject({ spatial: true, temporal: true });
  });

  it('takes a sequence of any length to the same number of tokens', () => {
    const model = tinyModel();
    for (const frames of [1, 2, 3, 11]) {
      const features = model.encodeFrames(randomVideo(model.config, 3, frames));
      expect(features.temporal_MD?.shape).toEqual([4, 12]);
      expect(features.spatial_ND.shape).toEqual([8, 32]);
      features.dispose();
    }
    model.dispose();
  });

  it('encodes a sequence the same in chunks as at once', () => {
    const whole = tinyModel();
    const config = { ...whole.config.temporal, chunkTokens: 7 };
    const chunked = tinyModel({ temporal: config });
    const video = randomVideo(whole.config, 3, 9);
    const a = whole.encodeFrames(video);
    const b = chunked.encodeFrames(video);
    const difference = moved(Array.from(a.temporal_MD?.dataSync() ?? []), Array.from(b.temporal_MD?.dataSync() ?? []));
    // Measured 0: a chunk holds whole sequences, so no sum changes its order.
    expect(difference).toBe(0);
    a.dispose();
    b.dispose();
    whole.dispose();
    chunked.dispose();
  });

  it('tells the order of frames apart, which the 8 spatial frames alone cannot', () => {
    const model = tinyModel();
    const video = randomVideo(model.config, 3, 6);
    const bytes = video.temporal.data.length / 6;
    const data = new Uint8Array(video.temporal.data.length);
    for (let t = 0; t < 6; t++) data.set(video.temporal.data.subarray((5 - t) * bytes, (6 - t) * bytes), t * bytes);
    const reversed = { ...video, temporal: { ...video.temporal, data } };
    expect(moved(answer(model, video), answer(model, reversed))).toBeGreaterThan(1e-5);
    model.dispose();
  });

  it('refuses ids whose placeholders and visual tokens differ in number', () => {
    const model = tinyModel();
    const features = model.encodeFrames(randomVideo(model.config, 3));
    const visual = model.visualTokens([features]);
    expect(() => model.embed(Int32Array.from([model.vidId, VISUAL_ID, model.sepId]), 1, 3, visual)).toThrow(
      'embed: 1 visual placeholders in the ids, 12 visual tokens given.',
    );
    tf.dispose(visual);
    features.dispose();
    model.dispose();
  });
});
