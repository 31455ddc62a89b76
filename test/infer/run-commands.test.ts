import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { log } from '../../src/base/logger.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import { runChoose } from '../../src/infer/run-choose.js';
import { runComment } from '../../src/infer/run-comment.js';
import { runServe } from '../../src/infer/server/run-serve.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { makeClip, writeTinyFolder } from './tiny-folder.js';

describe('commands on a model folder and a real clip', () => {
  useBackend(CPU);
  checkLeaks();
  let folder: string;
  let checkpoint: string;
  let video: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mimic-commands-'));
    checkpoint = join(folder, 'best');
    video = join(folder, 'clip.mp4');
    await writeTinyFolder(checkpoint);
    makeClip(video, 1);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(() => vi.restoreAllMocks());

  function capture(): { text: string } {
    const written = { text: '' };
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      written.text += String(chunk);
      return true;
    });
    return written;
  }
  const request = { question: 'title ?', options: ['red cat', 'blue dog', 'green cat'] };

  it('mimic choose prints a table with the choice marked', async () => {
    const out = capture();
    await runChoose({ checkpoint, video, ...request });
    const lines = out.text.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^title \? +probability$/);
    expect(lines.slice(2).map((line) => line.slice(2, 12).trimEnd())).toEqual([
      'A. red cat',
      'B. blue do',
      'C. green c',
    ]);
    expect(lines.filter((line) => line.startsWith('> '))).toHaveLength(1);
    const sum = lines.slice(2).reduce((total, line) => total + Number(line.slice(-5)), 0);
    expect(sum).toBeCloseTo(1, 2);
  });

  it('mimic choose --json prints one object', async () => {
    const out = capture();
    await runChoose({ checkpoint, video, ...request, json: true });
    const { choice, letter, text, probabilities } = JSON.parse(out.text);
    expect([letter, text]).toEqual(['ABC'[choice], request.options[choice]]);
    expect(probabilities[choice]).toBe(Math.max(...probabilities));
  });

  it('mimic comment prints one candidate a line, the same as JSON', async () => {
    const streamed = capture();
    await runComment({ checkpoint, video, n: 2, seed: 3, maxTokens: 8 });
    vi.restoreAllMocks();
    const whole = capture();
    await runComment({ checkpoint, video, n: 2, seed: 3, maxTokens: 8, json: true });
    const { comments } = JSON.parse(whole.text);
    expect(streamed.text).toBe(`${comments[0].text}\n${comments[1].text}\n`);
    expect(comments[0].text.length).toBeGreaterThan(0);
  });

  it('frees the model when the video cannot be used', async () => {
    await expect(runChoose({ checkpoint, video: join(folder, 'none.mp4'), ...request })).rejects.toThrow('none.mp4');
  });

  it('serves until SIGTERM, then drains and returns', async () => {
    let url = '';
    const listening = new Promise<void>((resolve) => {
      vi.spyOn(log, 'info').mockImplementation((line) => {
        url = /http:\S+(?=;)/.exec(line)?.[0] ?? url;
        if (url !== '') resolve();
      });
    });
    capture(); // the request log
    const serving = runServe({ checkpoint, port: 0, mediaRoot: folder });
    await listening;
    const answer = await fetch(`${url}/v1/choices`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...request, video: 'clip.mp4' }),
    });
    const { probabilities } = (await answer.json()) as { probabilities: number[] };
    expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    process.emit('SIGTERM');
    await serving;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow('fetch failed');
  });

  it('says when a folder is no model folder', async () => {
    await expect(MimicChat.load(folder)).rejects.toThrow('a model folder needs config.yaml');
  });

  it('frees the weights when the tokenizer is broken', async () => {
    const broken = join(folder, 'broken');
    await writeTinyFolder(broken);
    writeFileSync(join(broken, 'tokenizer.json'), '{');
    await expect(MimicChat.load(broken)).rejects.toThrow('cannot be read');
  });
});
