import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import { NATIVE } from '../backend/native.js';
import { randomVideo } from '../support/tiny-model.js';
import { type Usage, usage } from '../support/usage.js';
import { writeTinyFolder } from './tiny-folder.js';

const GENERATIONS = 1000;
const EVERY = 100;
const SETTLED = 300;

describe('1,000 generations', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mimic-leak-'));
    await tf.setBackend(NATIVE.name);
    await writeTinyFolder(dir);
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('leave tensors, device bytes and resident memory flat', async () => {
    const chat = await MimicChat.load(dir);
    const seen: Usage[] = [];
    for (let i = 1; i <= GENERATIONS; i++) {
      const video = await chat.encode(randomVideo(chat.parts.model.config, i % 5));
      let pieces = 0;
      for await (const _ of video.comment({ seed: i, maxTokens: 8 })) pieces++;
      expect(pieces).toBeLessThanOrEqual(8);
      video.dispose();
      if (i >= SETTLED && i % EVERY === 0) seen.push(usage());
    }
    for (const { tensors, deviceBytes } of seen) {
      expect({ tensors, deviceBytes }).toEqual({ tensors: seen[0]?.tensors, deviceBytes: seen[0]?.deviceBytes });
    }
    const growth = (seen.at(-1)?.residentBytes ?? 0) - (seen[0]?.residentBytes ?? 0);
    // Measured: between 156 and 157 MB from generation 400 on, once garbage is collected.
    expect(growth).toBeLessThan(20 * 2 ** 20);
    chat.dispose();
  }, 120_000);
});
