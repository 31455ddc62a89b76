import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cropToSquare, squashToSquare } from '../../../src/data/pixels/branch-pixels.js';
import { openVideo, videoInput, videoKey } from '../../../src/data/video/open-video.js';
import { SamplingSchema } from '../../../src/data/video/sampling.js';
import { picture } from '../pixels/picture.js';

describe('image files as a video', () => {
  let dir = '';
  const frames = Array.from({ length: 12 }, (_, i) => `${i}.png`);
  const frameTimesSec = frames.map((_, i) => i * 0.5);
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mimic-frames-'));
    // The frame number is the grey level.
    for (const [i, name] of frames.entries()) {
      const create = { width: 20, height: 16, channels: 3, background: { r: 20 * i, g: 20 * i, b: 20 * i } } as const;
      await sharp({ create }).png().toFile(join(dir, name));
    }
  });
  afterAll(() => rm(dir, { recursive: true }));
  const sampling = SamplingSchema.parse({ size: 8, numFrames: 4, resize: 'area' });
  const greys = (picture: { data: Uint8Array; count: number }) =>
    Array.from({ length: picture.count }, (_, i) => picture.data[i * 8 * 8 * 3]);

  it('gives both branches the frames and times that a video file would', async () => {
    const video = await openVideo(videoInput(dir, { videoPath: '', frames, frameTimesSec }), sampling);
    expect(greys(video.temporal)).toEqual(frames.map((_, i) => 20 * i));
    expect([...video.temporal.timesSec]).toEqual(frameTimesSec);
    expect([...video.spatial.indices]).toEqual([1, 4, 7, 9]);
    expect(greys(video.spatial)).toEqual([20, 80, 140, 180]);
    expect([...video.spatial.timesSec]).toEqual([0.5, 2, 3.5, 4.5]);
  });

  it('follows the cap of the temporal branch', async () => {
    const capped = { ...sampling, temporal: { maxFrames: 3 } };
    const video = await openVideo({ frames: frames.map((name) => join(dir, name)), frameTimesSec }, capped);
    expect(video.temporal.count).toBe(3);
    expect(greys(video.temporal)).toEqual([...video.temporal.indices].map((index) => 20 * index));
  });

  it("gives each branch its own processor's pixels when asked to squash", async () => {
    const image = picture(30, 20);
    const path = join(dir, 'wide.png');
    await sharp(image.data, { raw: { width: 30, height: 20, channels: 3 } })
      .png()
      .toFile(path);
    const input = { frames: [path, path], frameTimesSec: [0, 1] };
    const { spatial, temporal } = await openVideo(
      input,
      SamplingSchema.parse({ size: 8, numFrames: 3, fit: 'squash' }),
    );
    const bytes = 8 * 8 * 3;
    expect([...spatial.indices]).toEqual([0, 0, 1]);
    for (let i = 0; i < 3; i++) {
      const square = spatial.data.subarray(i * bytes, (i + 1) * bytes);
      expect(square).toEqual(squashToSquare(image, 8, 'bicubic', 12));
    }
    expect(temporal.data.subarray(bytes)).toEqual(cropToSquare(image, 8, 12));
  });

  it('names the file that is missing', async () => {
    const input = { frames: [join(dir, 'absent.png')], frameTimesSec: [0] };
    await expect(openVideo(input, sampling)).rejects.toThrow(`${join(dir, 'absent.png')}`);
  });

  it('has a key of its own for each set of pixels', () => {
    const keys = [
      videoInput('/root', { videoPath: 'a.mp4' }),
      videoInput('/root', { videoPath: '', frames: ['a', 'b'], frameTimesSec: [0, 1] }),
      videoInput('/root', { videoPath: '', frames: ['a'], frameTimesSec: [0] }),
    ].map(videoKey);
    expect(new Set(keys).size).toBe(3);
    expect(keys[0]).toBe('/root/a.mp4');
  });
});
