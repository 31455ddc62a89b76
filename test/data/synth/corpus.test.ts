import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { readJsonl } from '../../../src/data/jsonl.js';
import { VideoRecord } from '../../../src/data/record.js';
import { drawClip } from '../../../src/data/synth/clip.js';
import { type CorpusProgress, synthesizeCorpus } from '../../../src/data/synth/corpus.js';
import { encodeClips } from '../../../src/data/synth/encode.js';
import { FACT_VALUES } from '../../../src/data/synth/facts.js';

const counts = { train: 33, validation: 2, test: 1 };
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mimic-corpus-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const FRAME_BYTES = 64 * 64 * 3;
async function decode(file: string): Promise<Buffer> {
  const args = ['-v', 'error', '-i', file, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
  const { stdout } = await promisify(execFile)('ffmpeg', args, { encoding: 'buffer', maxBuffer: 2 ** 24 });
  return stdout;
}
const videos = async (dir: string) =>
  (await readdir(join(dir, 'videos'))).filter((name) => name.endsWith('.mp4')).sort();
const bytes = (dir: string, id: string) => readFile(join(dir, 'videos', `${id}.mp4`));

describe('synthesizeCorpus', { timeout: 60_000 }, () => {
  it('writes records that can be read back and one real video for each', async () => {
    const dir = join(root, 'a');
    const progress: CorpusProgress[] = [];
    const { records, paths } = await synthesizeCorpus({
      dir,
      seed: 1,
      counts,
      onProgress: (event) => progress.push(event),
    });
    expect(await readJsonl(paths.train, VideoRecord)).toEqual(records.train);
    expect(records.train.length + records.validation.length + records.test.length).toBe(36);
    const all = [...records.train, ...records.validation, ...records.test];
    expect(await videos(dir)).toEqual(all.map(({ id }) => `${id}.mp4`).sort());
    expect(progress.at(-1)).toEqual({ done: 36, total: 36, reused: 0 });
    for (const id of ['train-00000', 'train-00029', 'train-00030', 'test-00000']) {
      const file = join(dir, 'videos', `${id}.mp4`);
      expect((await decode(file)).length).toBe(33 * FRAME_BYTES);
    }
    expect((await readdir(join(dir, 'videos'))).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('keeps motion and lamp out of the sampled frames of the encoded video too', async () => {
    const facts = { shape: 'ball', color: 'red', bg: 'beach', layout: 'topleft' } as const;
    const variants = FACT_VALUES.motion.flatMap((motion) =>
      FACT_VALUES.lamp.map((lamp) => ({ ...facts, motion, lamp })),
    );
    const dir = await mkdtemp(join(root, 'variants-'));
    const files = await encodeClips(
      variants.map((variant) => drawClip(variant, new Rng(6, 'pixels'))),
      dir,
    );
    const decoded = await Promise.all(files.map(decode));
    const frame = (clip: Buffer | undefined, i: number) =>
      clip?.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES).toString('hex');
    for (const i of [2, 6, 10, 14, 18, 22, 26, 30]) {
      expect(new Set(decoded.map((clip) => frame(clip, i))).size, `frame ${i}`).toBe(1);
    }
    expect(new Set(decoded.map((clip) => clip.toString('hex'))).size).toBe(variants.length);
  });

  it('gives the same bytes for the same seed, and keeps splits apart', async () => {
    const [a, b, c] = [join(root, 'a'), join(root, 'b'), join(root, 'c')];
    await synthesizeCorpus({ dir: b, seed: 1, counts: { ...counts, validation: 5 } });
    await synthesizeCorpus({ dir: c, seed: 2, counts: { train: 1, validation: 1, test: 1 } });
    expect(await bytes(b, 'train-00031')).toEqual(await bytes(a, 'train-00031'));
    expect(await bytes(b, 'test-00000')).toEqual(await bytes(a, 'test-00000'));
    expect(await readFile(join(b, 'train.jsonl'))).toEqual(await readFile(join(a, 'train.jsonl')));
    expect(await bytes(c, 'test-00000')).not.toEqual(await bytes(a, 'test-00000'));
    expect(await bytes(a, 'test-00000')).not.toEqual(await bytes(a, 'validation-00000'));
  });

  it('leaves whole groups of files alone, and mends what is missing or damaged', async () => {
    const dir = join(root, 'a');
    const before = await bytes(dir, 'validation-00001');
    const reused = async () => {
      let last: CorpusProgress | undefined;
      await synthesizeCorpus({ dir, seed: 1, counts, onProgress: (event) => (last = event) });
      return last?.reused;
    };
    const untouched = await stat(join(dir, 'videos', 'train-00000.mp4'));
    expect(await reused()).toBe(36);
    await writeFile(join(dir, 'videos', 'validation-00001.mp4'), 'damaged');
    expect(await reused()).toBe(34);
    expect(await bytes(dir, 'validation-00001')).toEqual(before);
    await rm(join(dir, 'videos', 'test-00000.mp4'));
    expect(await reused()).toBe(35);
    expect((await stat(join(dir, 'videos', 'train-00000.mp4'))).mtimeMs).toBe(untouched.mtimeMs);
  });

  it('stops when aborted and leaves no partial directory', async () => {
    const dir = join(root, 'aborted');
    const controller = new AbortController();
    const aborted = synthesizeCorpus({
      dir,
      seed: 1,
      counts: { train: 300, validation: 0, test: 0 },
      onProgress: () => controller.abort(new Error('enough')),
      signal: controller.signal,
    });
    await expect(aborted).rejects.toThrow('enough');
    expect((await readdir(join(dir, 'videos'))).filter((name) => name.includes('partial'))).toEqual([]);
    expect((await videos(dir)).length).toBeLessThan(300);
  });

  it('says what is wrong with an ffmpeg that cannot encode', async () => {
    const fake = join(root, 'ffmpeg');
    await writeFile(
      fake,
      '#!/bin/sh\n[ "$1" = -version ] && { echo "ffmpeg version 6.1"; exit 0; }\necho "Unknown encoder libx264" >&2\nexit 3\n',
      { mode: 0o755 },
    );
    const previous = process.env['FFMPEG_PATH'];
    process.env['FFMPEG_PATH'] = fake;
    try {
      const failed = synthesizeCorpus({
        dir: join(root, 'failed'),
        seed: 1,
        counts: { train: 60, validation: 0, test: 0 },
      });
      await expect(failed).rejects.toMatchObject({
        code: 'E_FFMPEG_ENCODE',
        message: expect.stringContaining('got exit 3: Unknown encoder libx264'),
        hint: expect.stringContaining('libx264'),
      });
    } finally {
      if (previous === undefined) delete process.env['FFMPEG_PATH'];
      else process.env['FFMPEG_PATH'] = previous;
    }
  });
});
