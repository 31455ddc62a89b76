import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.js';
import { Rng } from '../../../src/base/rng.js';
import { type Container, readContainer } from '../../../src/data/video/container.js';
import { makeMedia, mediaFolder, refusal } from './media.js';

const media = mediaFolder();

function readBytes(bytes: Uint8Array): Promise<Container> {
  writeFileSync(media('bytes'), bytes);
  return readContainer({ path: media('bytes'), bytes: bytes.length });
}

describe('readContainer', () => {
  beforeAll(() => {
    const source = ['-f', 'lavfi', '-i', 'testsrc2=s=32x32:r=25:d=0.8'];
    const sound = ['-f', 'lavfi', '-i', 'sine=d=1.3', '-c:a', 'aac'];
    makeMedia([...source, '-c:v', 'libx264', '-bf', '3', '-pix_fmt', 'yuv420p', media('a.mp4')]);
    makeMedia([...source, ...sound, '-map', '1', '-map', '0', '-c:v', 'mpeg4', media('sound.mov')]);
    makeMedia(['-i', media('a.mp4'), '-c', 'copy', media('a.mkv')]);
    makeMedia(['-i', media('a.mp4'), '-c', 'copy', '-movflags', '+frag_keyframe+empty_moov', media('fragments.mp4')]);
    makeMedia([...source, '-c:v', 'mpeg4', media('a.avi')]);
  });

  it('reads the frame count of the first video track of MP4 and QuickTime', async () => {
    for (const name of ['a.mp4', 'sound.mov']) {
      expect(await readBytes(readFileSync(media(name)))).toEqual({ format: 'mp4', declaredFrames: 20 });
    }
  });

  it('declares no count where the format keeps none', async () => {
    expect(await readBytes(readFileSync(media('fragments.mp4')))).toEqual({ format: 'mp4' });
    expect(await readBytes(readFileSync(media('a.mkv')))).toEqual({ format: 'matroska' });
    expect(await readBytes(readFileSync(media('a.avi')))).toEqual({ format: 'avi' });
  });

  it('accepts a 64-bit box, a last box without a length, and padding after the movie', async () => {
    const movie = readFileSync(media('a.mp4'));
    const wide = Buffer.concat([Buffer.from('00000001667265650000000000000018', 'hex'), Buffer.alloc(8)]);
    const open = Buffer.from('0000000066726565ffffffff', 'hex');
    for (const file of [
      [wide, movie],
      [movie, open],
      [movie, Buffer.alloc(100)],
    ]) {
      expect(await readBytes(Buffer.concat(file))).toEqual({ format: 'mp4', declaredFrames: 20 });
    }
  });

  it('says where a cut file should have ended', async () => {
    const movie = readFileSync(media('a.mp4'));
    const moov = movie.indexOf('moov') - 4;
    const early = await refusal(readBytes(movie.subarray(0, moov - 1)), 'E_VIDEO_TRUNCATED');
    expect(early.message).toContain(`box 'mdat' ends at byte ${moov}, the file has ${moov - 1} bytes`);
    const bare = await refusal(readBytes(movie.subarray(0, moov)), 'E_VIDEO_TRUNCATED');
    expect(bare.message).toContain("the index (box 'moov') is missing");
    for (const [name, what] of [
      ['a.mkv', 'the segment'],
      ['a.avi', 'the RIFF chunk'],
    ] as const) {
      const bytes = readFileSync(media(name));
      const error = await refusal(readBytes(bytes.subarray(0, bytes.length - 1)), 'E_VIDEO_TRUNCATED');
      expect(error.message).toContain(`${what} ends at byte ${bytes.length}`);
    }
  });

  it('answers 2,000 mutated headers with a container or a DataError', async () => {
    const rng = new Rng(5, 'headers');
    const files = ['a.mp4', 'sound.mov', 'a.mkv', 'a.avi'].map((name) => {
      const bytes = readFileSync(media(name));
      const moov = bytes.indexOf('moov');
      // Only what this reader looks at, so that a mutation hits it.
      return moov < 0 ? bytes.subarray(0, 64) : bytes.subarray(moov - 4);
    });
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(rng.pick(files));
      for (let i = 0; i <= rng.int(4); i++) bytes[rng.int(bytes.length)] = rng.pick([0, 1, 255, rng.int(256)]);
      const outcome = await readBytes(bytes.subarray(0, rng.int(8) ? bytes.length : rng.int(bytes.length))).catch(
        (e: unknown) => e,
      );
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(DataError);
      else expect(outcome).toMatchObject({ format: expect.stringMatching(/^(mp4|matroska|avi)$/) });
    }
  });
});
