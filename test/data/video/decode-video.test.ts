import { beforeAll, describe, expect, it } from 'vitest';
import { decodeVideo } from '../../../src/data/video/decode-video.js';
import type { Frames } from '../../../src/model/frames.js';
import {
  frameOfLevel,
  levelOf,
  makeMedia,
  makeNumberedClip,
  mediaFolder,
  refusal,
  sampling,
  watchFfmpeg,
} from './media.js';

const media = mediaFolder();
const ffmpeg = watchFfmpeg(media);

/** Frame number that each decoded picture shows, from the mean of its pixels. */
function shownFrames({ data, count, width, height }: Frames): number[] {
  const area = width * height * 3;
  return Array.from({ length: count }, (_, i) => {
    const pixels = data.subarray(i * area, (i + 1) * area);
    return frameOfLevel(pixels.reduce((sum, value) => sum + value, 0) / area);
  });
}

const MKV = ['-c:v', 'libx264', '-qp', '0', '-pix_fmt', 'yuv420p'];

describe('decodeVideo', () => {
  beforeAll(() => {
    makeNumberedClip(media('cfr.mp4'), { count: 75 });
    makeNumberedClip(media('cfr.mkv'), { count: 75 }, MKV);
    // 10 frames at 30 a second, then 30 at 8 a second.
    const slow = "settb=1/9000,setpts='if(lt(N,10),N*300,3000+(N-10)*1125)'";
    makeNumberedClip(media('vfr.mp4'), { count: 40, filter: slow }, [...MKV, '-video_track_timescale', '9000']);
  });

  it.each(['cfr.mp4', 'cfr.mkv'])('shows each branch the very frames that it names (%s)', async (name) => {
    const video = await decodeVideo(media(name), sampling());
    expect([...video.spatial.indices]).toEqual([4, 13, 22, 32, 41, 50, 60, 69]);
    expect(shownFrames(video.spatial)).toEqual([...video.spatial.indices]);
    expect(shownFrames(video.temporal)).toEqual(Array.from({ length: 75 }, (_, i) => i));
    expect(video.temporal.data).toHaveLength(75 * 16 * 16 * 3);
    expect(video.capped).toBeUndefined();
  });

  it('times every frame to a microsecond (matroska: to its millisecond)', async () => {
    for (const [name, tolerance] of [
      ['cfr.mp4', 1e-6],
      ['cfr.mkv', 1e-3],
    ] as const) {
      const { temporal } = await decodeVideo(media(name), sampling());
      const worst = Math.max(...temporal.timesSec.map((time, i) => Math.abs(time - i / 30)));
      expect(worst).toBeLessThanOrEqual(tolerance);
    }
  });

  it('describes the source', async () => {
    const { source, path } = await decodeVideo(media('cfr.mp4'), sampling());
    expect(path).toBe(media('cfr.mp4'));
    expect(source).toEqual({
      ...{ width: 64, height: 64, durationSec: 2.5, avgFps: 30, codec: 'h264', rotationDeg: 0 },
      ...{ frameCount: 75, declaredFrames: 75 },
    });
  });

  it('scales only the planned frames when a cap allows, and they are the right ones', async () => {
    const video = await decodeVideo(media('cfr.mp4'), sampling({ temporal: { maxFrames: 5 } }));
    expect(shownFrames(video.temporal)).toEqual([...video.temporal.indices]);
    expect(shownFrames(video.spatial)).toEqual([4, 13, 22, 32, 41, 50, 60, 69]);
    expect(video.capped).toContain('5 of 75 frames');
  });

  it('samples a variable rate by timestamp', async () => {
    const video = await decodeVideo(media('vfr.mp4'), sampling({ temporal: { fps: 4 } }));
    const { timesSec, indices } = video.temporal;
    expect(shownFrames(video.temporal)).toEqual([...indices]);
    // 0, 1/4 s lie in the fast part (frames 0, 7 or 8); later quarters of a second are every other slow frame.
    expect(Math.max(...timesSec.map((time, i) => Math.abs(time - i / 4)))).toBeLessThanOrEqual(1 / 16);
    expect(indices).toHaveLength(16);
  });

  it('takes a second pass when all frames would exceed the budget, and gives the same frames', async () => {
    const fps = sampling({ temporal: { fps: 5 } });
    const limits = { maxBytes: 24 * 16 * 16 * 3 };
    for (const name of ['cfr.mp4', 'cfr.mkv']) {
      const whole = await decodeVideo(media(name), fps);
      const frugal = await decodeVideo(media(name), fps, { limits });
      expect(frugal).toEqual(whole);
    }
  });

  it('refuses what exceeds the byte budget and names the number of frames that fit', async () => {
    const limits = { maxBytes: 24 * 16 * 16 * 3 };
    for (const name of ['cfr.mp4', 'cfr.mkv']) {
      const error = await refusal(decodeVideo(media(name), sampling(), { limits }), 'E_VIDEO_BUDGET');
      expect(error.message).toContain('75 frames of 768 bytes exceed the budget of 18432 bytes');
      expect(error.message).toContain('temporal.maxFrames of up to 16 would fit');
    }
  });

  it('turns a rotated clip upright', async () => {
    // The upper half is white; a player told to turn it a quarter clockwise shows white on the right.
    const half = 'color=black:s=64x32:r=10:d=0.5,drawbox=h=16:color=white:t=fill';
    makeMedia(['-f', 'lavfi', '-i', half, '-pix_fmt', 'yuv420p', media('flat.mp4')]);
    makeMedia(['-i', media('flat.mp4'), '-c', 'copy', '-metadata:s:v', 'rotate=270', media('turned.mp4')]);
    const { spatial, source } = await decodeVideo(media('turned.mp4'), sampling({ size: 8 }));
    const white = (row: number, column: number) => (spatial.data[(row * 8 + column) * 3] ?? 0) > 128;
    expect(source).toMatchObject({ width: 64, height: 32, rotationDeg: 90 });
    expect([white(1, 6), white(6, 6), white(1, 1), white(6, 1)]).toEqual([true, true, false, false]);
  });

  it.each([
    ['wide', '96x32', null],
    ['tall', '32x96', null],
    ['anamorphic', '32x32', '3/1'],
  ])('keeps the centre square of a %s picture', async (name, size, aspect) => {
    // Three vertical or horizontal bands: red, green, blue; only green survives the crop.
    const [width = 0, height = 0] = size.split('x').map(Number);
    const third = height > width ? `y=${height / 3}:h=${height / 3}` : `x=${width / 3}:w=${width / 3 + 1}`;
    const shape = aspect === null ? '' : `,setsar=${aspect}`;
    const source = `color=red:s=${size}:r=10:d=0.5,format=rgb24,drawbox=${third}:color=lime:t=fill${shape}`;
    makeMedia(['-f', 'lavfi', '-i', source, '-c:v', 'libx264', '-pix_fmt', 'yuv444p', media(`${name}.mp4`)]);
    const { spatial } = await decodeVideo(media(`${name}.mp4`), sampling({ size: 8 }));
    const centre = spatial.data.subarray((4 * 8 + 4) * 3, (4 * 8 + 4) * 3 + 3);
    const corner = spatial.data.subarray(3 * (8 + 1), 3 * (8 + 1) + 3);
    for (const [red = 255, green = 0] of [centre, corner]) {
      expect(green).toBeGreaterThan(200);
      expect(red).toBeLessThan(60);
    }
  });

  it('counts the frames that an edit list shows, not those that the samples hold', async () => {
    makeMedia(['-ss', '1.2', '-i', media('cfr.mp4'), '-c', 'copy', media('trimmed.mp4')]);
    const { temporal, source } = await decodeVideo(media('trimmed.mp4'), sampling());
    expect(source.declaredFrames).toBeUndefined();
    expect(shownFrames(temporal)[0]).toBe(36);
    expect(shownFrames(temporal).at(-1)).toBe(74);
  });

  it.each([
    ['one frame', ['-frames:v', '1'], 'one.mp4', 1],
    ['fragmented MP4', ['-movflags', '+frag_keyframe+empty_moov'], 'frag.mp4', 20],
    ['10 bit HEVC', ['-c:v', 'libx265', '-x265-params', 'log-level=error', '-pix_fmt', 'yuv420p10le'], 'hevc.mp4', 20],
    ['VP9 WebM', ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'], 'vp9.webm', 20],
    ['MPEG-4 AVI', ['-c:v', 'mpeg4'], 'mpeg4.avi', 20],
    ['odd size', ['-vf', 'crop=61:33:exact=1', '-pix_fmt', 'yuv444p'], 'odd.mkv', 20],
  ])('decodes %s', async (_kind, output, name, count) => {
    makeMedia(['-f', 'lavfi', '-i', 'testsrc2=s=64x64:r=20:d=1', ...output, media(name)]);
    const { temporal } = await decodeVideo(media(name), sampling());
    expect(temporal.count).toBe(count);
  });

  it('opens names that look like options, patterns and URLs', async () => {
    for (const name of ['-vf %03d *.mp4', 'a b;$(c)[0].mp4', 'http:--x?y=1.mp4']) {
      makeNumberedClip(media('plain.mp4'), { count: 9 });
      makeMedia(['-i', media('plain.mp4'), '-c', 'copy', `file:${media(name)}`]);
      expect((await decodeVideo(media(name), sampling())).temporal.count).toBe(9);
    }
  });

  it('gives the same bytes when many decodes run at once', async () => {
    const [first, ...others] = await Promise.all(
      Array.from({ length: 6 }, () => decodeVideo(media('cfr.mp4'), sampling({ size: 32 }))),
    );
    for (const other of others)
      expect(Buffer.compare(other.temporal.data, first?.temporal.data ?? new Uint8Array())).toBe(0);
    expect(ffmpeg.living()).toBe(0);
  });

  it('changes a flat grey by at most one level', async () => {
    for (const resize of ['bicubic', 'area', 'bilinear'] as const) {
      const { temporal } = await decodeVideo(media('cfr.mp4'), sampling({ resize }));
      // Measured 1: full-range grey goes through limited-range YUV and back.
      const worst = temporal.data.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - levelOf(Math.floor(i / 768)))),
        0,
      );
      expect(worst).toBeLessThanOrEqual(1);
    }
  });
});
