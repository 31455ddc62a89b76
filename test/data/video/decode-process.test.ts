import { chmodSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeVideo } from '../../../src/data/video/decode-video.js';
import { Pool } from '../../../src/data/video/pool.js';
import { makeMedia, makeNumberedClip, mediaFolder, refusal, sampling, watchFfmpeg } from './media.js';

const media = mediaFolder();
const ffmpeg = watchFfmpeg(media);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the ffmpeg process of decodeVideo', () => {
  beforeAll(() => {
    makeNumberedClip(media('clip.mp4'), { count: 30 });
    const long = ['-f', 'lavfi', '-i', 'testsrc2=s=640x360:r=30:d=40', '-c:v', 'libx264', '-preset', 'ultrafast'];
    makeMedia([...long, '-pix_fmt', 'yuv420p', media('long.mp4')]);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    expect(ffmpeg.living()).toBe(0);
  });

  it('is killed when the clip takes longer than the limit', async () => {
    const limits = { timeoutMs: 150, timeoutPerSec: 0 };
    const started = performance.now();
    const error = await refusal(decodeVideo(media('long.mp4'), sampling({ size: 448 }), { limits }), 'E_VIDEO_TIMEOUT');
    expect(error.message).toMatch(/decoding took longer than 150 ms: .*long\.mp4/);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('is killed when the file does not open in time', async () => {
    const limits = { headerTimeoutMs: 1 };
    const error = await refusal(decodeVideo(media('clip.mp4'), sampling(), { limits }), 'E_VIDEO_TIMEOUT');
    expect(error.message).toContain('opening the file took longer than 1 ms');
  });

  it('has time in proportion to the length of the video', async () => {
    const limits = { timeoutMs: 1, timeoutPerSec: 60 };
    expect((await decodeVideo(media('clip.mp4'), sampling(), { limits })).temporal.count).toBe(30);
  });

  it('is killed on abort, before, during and while waiting for a slot', async () => {
    const before = AbortSignal.abort(new Error('gone'));
    const early = await refusal(decodeVideo(media('clip.mp4'), sampling(), { signal: before }), 'E_VIDEO_ABORTED');
    expect(early.cause).toMatchObject({ message: 'gone' });

    const during = new AbortController();
    const work = refusal(decodeVideo(media('long.mp4'), sampling(), { signal: during.signal }), 'E_VIDEO_ABORTED');
    while (ffmpeg.living() === 0) await sleep(5);
    during.abort();
    expect((await work).message).toContain('decoding was aborted');

    const pool = new Pool(1);
    let release = () => {};
    const busy = pool.run(() => new Promise<void>((resolve) => (release = resolve)));
    const waiting = new AbortController();
    const queued = refusal(
      decodeVideo(media('clip.mp4'), sampling(), { signal: waiting.signal, pool }),
      'E_VIDEO_ABORTED',
    );
    await sleep(50);
    waiting.abort();
    await queued;
    release();
    await busy;
  });

  it('never runs more often than the pool has slots', async () => {
    const pool = new Pool(2);
    const work = Promise.all(Array.from({ length: 6 }, () => decodeVideo(media('clip.mp4'), sampling(), { pool })));
    let most = 0;
    let done = false;
    const watch = (async () => {
      while (!done) {
        most = Math.max(most, ffmpeg.living());
        await sleep(2);
      }
    })();
    await work.finally(() => (done = true));
    await watch;
    expect(most).toBe(2);
  });

  it('starts once for a clip: no probe, no capability query', async () => {
    await decodeVideo(media('clip.mp4'), sampling());
    const before = ffmpeg.starts().length;
    for (let clip = 0; clip < 3; clip++) await decodeVideo(media('clip.mp4'), sampling());
    const decodes = ffmpeg.starts().slice(before);
    expect(decodes).toHaveLength(3);
    const formats = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi';
    expect(decodes[0]).toContain(`-protocol_whitelist file,pipe -format_whitelist ${formats}`);
    expect(decodes[0]).toContain(`-i file:${media('clip.mp4')}`);
    expect(ffmpeg.starts().filter((args) => args === '-version')).toHaveLength(1);
  });

  it('is missed with the command that installs it', async () => {
    vi.stubEnv('FFMPEG_PATH', media('nowhere/ffmpeg'));
    const error = await refusal(decodeVideo(media('clip.mp4'), sampling()), 'E_FFMPEG_ABSENT');
    expect(error.message).toBe(`ffmpeg cannot be run (ENOENT): ${media('nowhere/ffmpeg')}`);
    expect(error.hint).toContain('apt-get install ffmpeg');
  });

  it('is refused when it is too old or not a program', async () => {
    writeFileSync(media('old'), '#!/bin/sh\necho "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"\n');
    writeFileSync(media('junk'), 'no program');
    for (const [name, code] of [
      ['old', 'E_FFMPEG_VERSION'],
      ['junk', 'E_FFMPEG_ABSENT'],
    ] as const) {
      chmodSync(media(name), 0o755);
      vi.stubEnv('FFMPEG_PATH', media(name));
      await refusal(decodeVideo(media('clip.mp4'), sampling()), code);
    }
  });

  it('reports a start that fails after the check instead of ending Node', async () => {
    symlinkSync(ffmpeg.binary, media('brief'));
    vi.stubEnv('FFMPEG_PATH', media('brief'));
    await decodeVideo(media('clip.mp4'), sampling());
    unlinkSync(media('brief'));
    const error = await refusal(decodeVideo(media('clip.mp4'), sampling()), 'E_FFMPEG_ABSENT');
    expect(error.message).toContain('ENOENT');
  });
});

describe('Pool', () => {
  it('runs tasks in order, frees the slot of one that fails, and refuses a slotless pool', async () => {
    const pool = new Pool(1);
    const order: number[] = [];
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map((task) =>
        pool.run(async () => {
          order.push(task);
          if (task === 2) throw new Error('second');
        }),
      ),
    );
    expect(order).toEqual([1, 2, 3]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(() => new Pool(0)).toThrow('Pool: slots must be a positive integer, got 0');
  });
});
