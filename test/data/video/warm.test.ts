import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { synthesizeCorpus } from '../../../src/data/synth/corpus.js';
import { decodeVideo } from '../../../src/data/video/decode-video.js';
import { SamplingSchema } from '../../../src/data/video/sampling.js';
import { warmFfmpeg } from '../../../src/data/video/warm/shared.js';
import { WarmFfmpeg } from '../../../src/data/video/warm/warm-ffmpeg.js';

const COMPILE_MS = 60_000;
const sampling = SamplingSchema.parse({ size: 32, resize: 'area' });
let folder: string;
let clips: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mimic-warm-'));
  const { records } = await synthesizeCorpus({ dir: folder, seed: 5, counts: { train: 4, validation: 0, test: 0 } });
  clips = records.train.map(({ video_path = '' }) => join(folder, video_path));
}, COMPILE_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: { code?: string }) => error.code,
  );

describe.runIf(process.platform === 'linux')('the warm ffmpeg', () => {
  it('gives the frames, times and facts of a process of its own, several at once', {
    timeout: COMPILE_MS,
  }, async () => {
    expect((await warmFfmpeg('ffmpeg'))?.isAlive).toBe(true);
    const [cold, warm] = await Promise.all(
      [false, true].map((warm) => Promise.all(clips.map((path) => decodeVideo(path, sampling, { warm })))),
    );
    const facts = (videos: typeof cold) =>
      videos?.map(({ spatial, temporal, source }) => {
        return [digest(spatial.data), digest(temporal.data), [...temporal.timesSec], source];
      });
    expect(warm).toHaveLength(4);
    expect(facts(warm)).toEqual(facts(cold));
  });

  it('says of a broken file what a process of its own says, and goes on', { timeout: COMPILE_MS }, async () => {
    const broken = join(folder, 'broken.mp4');
    writeFileSync(broken, Buffer.alloc(5000, 7));
    for (const path of [broken, folder]) {
      const warm = await codeOf(decodeVideo(path, sampling, { warm: true }));
      expect(warm).toBe(await codeOf(decodeVideo(path, sampling)));
      expect(warm).toMatch(/^E_VIDEO_/);
    }
    expect((await decodeVideo(clips[0] ?? '', sampling, { warm: true })).temporal.count).toBe(33);
  });

  it('kills one command alone, and fails the rest when its own process dies', { timeout: COMPILE_MS }, async () => {
    const warm = await WarmFfmpeg.start('ffmpeg');
    const endless = ['-f', 'lavfi', '-i', 'nullsrc=s=16x16', '-f', 'rawvideo', 'pipe:1'];
    const start = () => {
      const sink = new PassThrough();
      sink.resume();
      const flowing = new Promise((resolve) => sink.once('data', resolve));
      return { run: warm.run(endless, sink, () => undefined), flowing };
    };
    const [first, second] = [start(), start()];
    await Promise.all([first.flowing, second.flowing]);
    first.run.kill();
    expect(await first.run.exit).toMatchObject({ message: 'ffmpeg was killed' });
    warm.dispose();
    expect(await second.run.exit).toMatchObject({ syscall: 'fork' });
    expect(warm.isAlive).toBe(false);
  });

  it('refuses a wrapper script, and then each video starts a process', { timeout: COMPILE_MS }, async () => {
    const wrapper = join(folder, 'wrapped');
    writeFileSync(wrapper, '#!/bin/sh\nexec ffmpeg "$@"\n');
    chmodSync(wrapper, 0o755);
    await expect(WarmFfmpeg.start(wrapper)).rejects.toThrow('cannot be forked');
    expect(await warmFfmpeg(wrapper)).toBeUndefined();
  });
});
