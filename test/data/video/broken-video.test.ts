import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { decodeVideo } from '../../../src/data/video/decode-video.js';
import type { VideoLimits } from '../../../src/data/video/limits.js';
import { makeMedia, mediaFolder, refusal, sampling, watchFfmpeg } from './media.js';

const media = mediaFolder();
const ffmpeg = watchFfmpeg(media);
const FRAMES = 25;
const FILES = ['movie.mp4', 'movie.mkv', 'movie.avi', 'movie.webm'];

/** A file is refused with `code`, names itself, and leaves no process. */
async function refused(name: string, code: string, limits: Partial<VideoLimits> = {}): Promise<string> {
  const error = await refusal(decodeVideo(media(name), sampling(), { limits }), code);
  expect(error.message).toContain(basename(name));
  expect(error.context['path']).toBe(media(name));
  return error.message;
}

function rewrite(name: string, from: string, change: (bytes: Buffer) => Uint8Array): string {
  writeFileSync(media(name), change(readFileSync(media(from))));
  return name;
}

/** Ends of the video packets of an MP4, where a cut leaves nothing half. */
function packetEnds(name: string): number[] {
  const entries = ['-show_entries', 'packet=pos,size', '-of', 'csv=p=0'];
  const list = execFileSync('ffprobe', ['-v', 'error', ...entries, media(name)], { encoding: 'utf8' });
  return [...list.matchAll(/(\d+),(\d+)/g)].map(([, size, pos]) => Number(size) + Number(pos));
}

describe('decodeVideo on broken files', () => {
  beforeAll(() => {
    const source = ['-f', 'lavfi', '-i', 'testsrc2=s=96x64:r=25:d=1'];
    makeMedia([...source, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-movflags', '+faststart', media('movie.mp4')]);
    makeMedia(['-i', media('movie.mp4'), '-c', 'copy', media('movie.mkv')]);
    makeMedia([...source, '-c:v', 'mpeg4', '-q:v', '3', media('movie.avi')]);
    makeMedia([...source, '-c:v', 'libvpx', '-deadline', 'realtime', media('movie.webm')]);
  });
  afterEach(() => expect(ffmpeg.living()).toBe(0));

  it.each(FILES)('refuses every cut of %s', async (name) => {
    const bytes = readFileSync(media(name)).length;
    const lengths = Array.from({ length: 20 }, (_, i) => Math.floor((bytes * (i + 1)) / 21));
    for (const length of [...lengths, bytes - 1]) {
      const cut = rewrite(`cut-${name}`, name, (all) => all.subarray(0, length));
      const message = await refused(cut, 'E_VIDEO_TRUNCATED');
      expect(message).toContain(`the file has ${length} bytes`);
    }
  });

  it('refuses an MP4 cut between two packets, which ffmpeg decodes with status 0', async () => {
    for (const end of packetEnds('movie.mp4').slice(2, -1)) {
      if (end < readFileSync(media('movie.mp4')).length) {
        await refused(
          rewrite('between.mp4', 'movie.mp4', (all) => all.subarray(0, end)),
          'E_VIDEO_TRUNCATED',
        );
      }
    }
  });

  it('refuses a file that decodes to another number of frames than it declares', async () => {
    // One sample fewer in the size table than in the time tables: the container is whole, the count is not.
    const shifted = rewrite('count.mp4', 'movie.mp4', (all) => {
      const table = all.indexOf('stsz') + 12;
      expect(all.readUInt32BE(table)).toBe(FRAMES);
      all.writeUInt32BE(FRAMES + 3, table);
      return all;
    });
    await refusal(decodeVideo(media(shifted), sampling()), 'E_VIDEO_TRUNCATED');
  });

  // Measured on 300 flips of a 70 kB file: ffmpeg notices 87 % in H.264 and half in MPEG-4; VP8 has no check, so next to none. A flip
  // that leaves the stream decodable is for the file's hash to find, but it must not change an MP4's number of frames.
  it.each([
    ['movie.mp4', 3],
    ['movie.mkv', 3],
    ['movie.avi', 1],
    ['movie.webm', 0],
  ])('answers every flipped bit of %s with frames or a typed error', async (name, detectable) => {
    const rng = new Rng(11, name);
    let detected = 0;
    for (let flip = 0; flip < 12; flip++) {
      const damaged = rewrite(`flip-${name}`, name, (all) => {
        const at = rng.int(all.length);
        all[at] = (all[at] ?? 0) ^ (1 << rng.int(8));
        return all;
      });
      const outcome = await decodeVideo(media(damaged), sampling()).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ code: expect.stringMatching(/^E_VIDEO_/) });
        detected++;
      } else if (name.endsWith('.mp4')) {
        expect(outcome).toMatchObject({ temporal: { count: FRAMES } });
      }
    }
    expect(detected).toBeGreaterThanOrEqual(detectable);
  });

  it('refuses a Matroska file with a block that ffmpeg steps over', async () => {
    const damaged = rewrite('skipped.mkv', 'movie.mkv', (all) => {
      // The second cluster-level block claims to be longer than its cluster.
      const block = all.indexOf(0xa3, all.indexOf(Buffer.from([0x1f, 0x43, 0xb6, 0x75])) + 4000);
      all.set([0xa3, 0x1f, 0xff, 0xff, 0xff], block);
      return all;
    });
    await refused(damaged, 'E_VIDEO_DAMAGED');
  });

  it('refuses a third of the bytes overwritten, which ffmpeg decodes to more frames with status 0', async () => {
    const rng = new Rng(3);
    const damaged = rewrite('overwritten.mp4', 'movie.mp4', (all) => {
      const from = all.indexOf('mdat') + 4;
      for (let i = 0; i < all.length / 3; i++) all[from + rng.int(all.length - from)] = rng.int(256);
      return all;
    });
    expect(await refused(damaged, 'E_VIDEO_DAMAGED')).toMatch(/decoding failed after \d+ frames \(.+\)/);
  });

  it('refuses a movie without its index', async () => {
    const damaged = rewrite('no-moov.mp4', 'movie.mp4', (all) => {
      all.write('free', all.indexOf('moov'));
      return all;
    });
    expect(await refused(damaged, 'E_VIDEO_TRUNCATED')).toContain("the index (box 'moov') is missing");
  });

  it('refuses files that are not videos, whatever their name', async () => {
    makeMedia(['-f', 'lavfi', '-i', 'testsrc2=s=32x32', '-frames:v', '1', media('picture.png')]);
    writeFileSync(media('picture.mp4'), readFileSync(media('picture.png')));
    writeFileSync(media('zeros.mp4'), new Uint8Array(5000));
    writeFileSync(media('text.mp4'), 'not a video\n'.repeat(100));
    writeFileSync(media('tiny.mp4'), 'x');
    writeFileSync(media('list.mp4'), "ffconcat version 1.0\nfile 'movie.mp4'\n");
    for (const name of ['picture.mp4', 'zeros.mp4', 'text.mp4', 'tiny.mp4', 'list.mp4']) {
      expect(await refused(name, 'E_VIDEO_FORMAT')).toContain('not an MP4, QuickTime, Matroska, WebM or AVI file');
    }
  });

  it('never connects for a playlist named .mp4', async () => {
    let requests = 0;
    const server = createServer((_request, response) => response.end(String(requests++)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const playlist = `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:${port}/a.ts\n#EXT-X-ENDLIST\n`;
    writeFileSync(media('hls.mp4'), playlist);
    await refused('hls.mp4', 'E_VIDEO_FORMAT');
    await new Promise((resolve) => server.close(resolve));
    expect(requests).toBe(0);
  });

  it('refuses sound, with or without a cover picture', async () => {
    const sine = ['-f', 'lavfi', '-i', 'sine=d=0.5'];
    makeMedia([...sine, media('sound.mp4')]);
    makeMedia(['-f', 'lavfi', '-i', 'testsrc2=s=32x32', '-frames:v', '1', media('cover.png')]);
    const cover = [
      '-i',
      media('cover.png'),
      '-map',
      '0',
      '-map',
      '1',
      '-c:v',
      'copy',
      '-disposition:v:0',
      'attached_pic',
    ];
    makeMedia([...sine, ...cover, media('covered.m4a')]);
    for (const name of ['sound.mp4', 'covered.m4a']) await refused(name, 'E_VIDEO_NO_STREAM');
  });

  it('refuses what is not a readable regular file', async () => {
    mkdirSync(media('folder.mp4'));
    execFileSync('mkfifo', [media('pipe.mp4')]);
    symlinkSync('/dev/zero', media('zero.mp4'));
    symlinkSync(media('loop.mp4'), media('loop.mp4'));
    writeFileSync(media('empty.mp4'), '');
    for (const name of ['folder.mp4', 'pipe.mp4', 'zero.mp4']) await refused(name, 'E_VIDEO_NOT_A_FILE');
    for (const name of ['absent.mp4', 'loop.mp4', 'movie.mp4/x.mp4']) await refused(name, 'E_VIDEO_NOT_FOUND');
    await refused('empty.mp4', 'E_VIDEO_EMPTY');
    for (const url of ['https://127.0.0.1:9/a.mp4', 'concat:a.mp4|b.mp4', 'a\0.mp4']) {
      await refusal(decodeVideo(url, sampling()), 'E_VIDEO_NOT_FOUND');
    }
  });

  it('follows a symbolic link to a regular file', async () => {
    symlinkSync(media('movie.mp4'), media('link.mp4'));
    expect((await decodeVideo(media('link.mp4'), sampling())).temporal.count).toBe(FRAMES);
  });

  it('refuses an oversized picture within a second and without its memory', async () => {
    const huge = ['-f', 'lavfi', '-i', 'color=s=8192x8192:r=1:d=1', '-c:v', 'libx264', '-preset', 'ultrafast'];
    makeMedia([...huge, '-threads', '1', '-pix_fmt', 'yuv420p', media('huge.mp4')]);
    const started = performance.now();
    await refused('huge.mp4', 'E_VIDEO_DIMENSIONS');
    // Measured 0.1 s and 60 MB for ffmpeg, which would take 670 MB to decode its one frame.
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('refuses a video that is too long by header, by declared count or, where neither is written, by timestamp', async () => {
    expect(await refused('movie.mp4', 'E_VIDEO_TOO_LONG', { maxDurationSec: 0.5 })).toContain('longer than 0.5 s');
    expect(await refused('movie.mp4', 'E_VIDEO_TOO_LONG', { maxFrames: 20 })).toContain('declares 25 frames');
    expect(await refused('movie.mkv', 'E_VIDEO_TOO_LONG', { maxFrames: 20 })).toContain('more than 20 frames');
    makeMedia(['-i', media('movie.mkv'), '-c', 'copy', '-f', 'matroska', '-live', '1', media('live.mkv')]);
    expect((await decodeVideo(media('live.mkv'), sampling())).temporal.count).toBe(FRAMES);
    await refused('live.mkv', 'E_VIDEO_TOO_LONG', { maxDurationSec: 0.5 });
  });

  it('refuses a codec outside the list', async () => {
    const message = await refused('movie.webm', 'E_VIDEO_CODEC', { codecs: ['h264'] });
    expect(message).toContain("codec 'vp8' is not accepted (expected one of h264)");
  });

  it('refuses a codec that ffmpeg does not know', async () => {
    const unknown = rewrite('unknown.mp4', 'movie.mp4', (all) => {
      all.write('zzzz', all.indexOf('avc1', all.indexOf('stsd')));
      return all;
    });
    await refused(unknown, 'E_VIDEO_CODEC');
  });
});
