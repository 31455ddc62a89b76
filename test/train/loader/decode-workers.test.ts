import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useBackend as startBackend } from '../../../src/backend/select.js';
import { openVideo } from '../../../src/data/video/open-video.js';
import type { RunConfig } from '../../../src/train/config.js';
import { type Decoding, decodingOptions, startDecoding } from '../../../src/train/loader/decode-workers.js';
import { type TuneStep, tune } from '../../../src/train/tune.js';
import { makeNumberedClip, mediaFolder, refusal, sampling } from '../../data/video/media.js';
import { tinyRun } from '../../support/tiny-run.js';
import { compileProgram } from '../checkpoint/compile-program.js';

const place = mediaFolder();
let entry: URL;
const open: Decoding[] = [];

beforeAll(() => {
  entry = pathToFileURL(compileProgram(place('program'), '../../../src/train/loader/decode-worker'));
});
afterEach(async () => {
  for (const decoding of open.splice(0)) await decoding.close();
});

function workers(options: Partial<Parameters<typeof startDecoding>[0]> = {}): Decoding {
  const tiles = { maxTiles: 4, thumbnail: true };
  const decoding = startDecoding({ sampling: sampling(), tiles, workers: 2, budgetMiB: 64, entry, ...options });
  open.push(decoding);
  return decoding;
}

describe('decoding threads', () => {
  const clip = () => place('clip.mp4');
  beforeAll(async () => {
    makeNumberedClip(clip(), { count: 12, size: 32 });
    await sharp({ create: { width: 64, height: 30, channels: 3, background: '#a04020' } })
      .png()
      .toFile(place('a.png'));
  });

  it('give what this process would decode, of videos and of pictures', async () => {
    const { frames } = workers();
    const pictures = { images: [place('a.png'), place('a.png')] };
    const [video, tiles] = await Promise.all([frames(clip()), frames(pictures)]);
    const here = await openVideo(clip(), sampling());
    expect([video.spatial, video.temporal]).toEqual([here.spatial, here.temporal]);
    const { release: _, ...ownTiles } = tiles;
    const expected = await openVideo(pictures, sampling(), { tiles: { maxTiles: 4, thumbnail: true } });
    expect(ownTiles).toEqual(expected);
    // Twice two tiles and a thumbnail.
    expect(tiles.spatial.count).toBe(6);
  });

  it('hand over an error with its class, code and hint', async () => {
    const error = await refusal(workers().frames(place('absent.mp4')), 'E_VIDEO_NOT_FOUND');
    expect(error.hint).toContain('check video_path');
  });

  it('end with the process that closes them, also when an answer is still under way', () => {
    const program = compileProgram(place('close'), '../loader/close-child');
    const busy = place('busy.mjs');
    const answer = "{ number, outcome: { error: { name: 'Error', message: 'none' } } }";
    const code = `parentPort.on('message', ({ number }) => { parentPort.postMessage(${answer}); for (;;); });`;
    writeFileSync(busy, `import { parentPort } from 'node:worker_threads';\n${code}\n`);
    // 13: the threads were let go of, and nothing was left to wait for.
    const { status, stdout } = spawnSync(process.execPath, [program, busy], { encoding: 'utf8', timeout: 50_000 });
    expect([status, stdout]).toEqual([0, 'closed\n']);
  });

  it('hold back when their frames are not used, unless someone waits for them', async () => {
    // 12 frames of 64 x 64 for the temporal branch and 8 for the spatial one: 240 KiB a video, so the fifth exceeds 1 MiB.
    const { frames } = workers({ budgetMiB: 1, workers: 1, sampling: sampling({ size: 64 }) });
    let decoded = 0;
    const asked = Array.from({ length: 12 }, async () => {
      const video = await frames(clip());
      decoded++;
      return video;
    });
    const first = await Promise.all(asked.slice(0, 5));
    // A worker that does not hold back is done with more by then; a slow machine can only hide that.
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(decoded).toBe(5);
    for (const video of first.slice(0, 2)) video.release?.();
    await Promise.all(asked.slice(5, 7));
    frames.setAwaited?.(true);
    await Promise.all(asked);
    frames.setAwaited?.(false);
  });

  it('say that they failed, to who waits and to who asks later', async () => {
    await writeFile(place('broken.mjs'), 'throw new Error("no memory left");');
    const { frames } = workers({ entry: pathToFileURL(place('broken.mjs')), workers: 1 });
    expect((await refusal(frames(clip()), 'E_DECODE_WORKER')).message).toContain('no memory left');
    await refusal(frames(clip()), 'E_DECODE_WORKER');
  });
});

describe('training on videos, pictures and texts', () => {
  /** Four videos, two records of pictures, two of words alone; both kinds of batch follow each other. */
  async function mixedRun(name: string, train: object, data: object): Promise<RunConfig> {
    const dir = place('run');
    const { config } = await tinyRun(dir, { train: 4, validation: 2 }, { name, train: { epochs: 2, ...train } });
    const path = config.data.train ?? '';
    const records = (await readFile(path, 'utf8')).trim().split('\n');
    const talk = (prompt: string, answer: string) => [
      { from: 'human', value: prompt },
      { from: 'gpt', value: answer },
    ];
    const more = [
      { id: 'picture', image: 'wide.png', conversations: talk('<image>\nball?', 'red ball') },
      { id: 'pictures', images: ['wide.png', 'tall.jpg'], conversations: talk('beach?', 'beach red A') },
      { id: 'text', conversations: talk('ball red?', 'A') },
      { id: 'text 2', conversations: [...talk('topic?', 'beach'), ...talk('color?', 'red red red')] },
    ];
    await writeFile(path, `${[...records, ...more.map((record) => JSON.stringify(record))].join('\n')}\n`);
    // tinyRun has written the records of the corpus only; the fields of a run are plain data.
    return { ...config, data: { ...config.data, validation: undefined, ...data } };
  }

  beforeAll(async () => {
    await startBackend({ backend: 'native', threads: 1 });
    const config = await mixedRun('first', {}, {});
    const dir = place('run');
    const paths = (await readFile(config.data.train ?? '', 'utf8')).match(/videos\/[^"]+/g) ?? [];
    await mkdir(join(dir, 'videos'), { recursive: true });
    for (const [i, path] of [...new Set(paths)].entries()) {
      makeNumberedClip(join(dir, path), { count: 4 + i, size: 32 });
    }
    const picture = (width: number, height: number) =>
      sharp({ create: { width, height, channels: 3, background: '#3080c0' } });
    await picture(24, 8).png().toFile(join(dir, 'wide.png'));
    await picture(8, 16).jpeg().toFile(join(dir, 'tall.jpg'));
  });

  async function losses(config: RunConfig, options: object): Promise<readonly (readonly number[])[]> {
    const decoding = startDecoding({ ...decodingOptions(config), ...options });
    open.push(decoding);
    const steps: TuneStep[] = [];
    await tune({ config, frames: decoding.frames, resume: false, onStep: (step) => steps.push(step) });
    expect(steps.every(({ clips, skipped }) => clips === 4 && skipped === 0)).toBe(true);
    return steps.map(({ loss, gradNorm }) => [loss, gradNorm]);
  }

  it('gives the same losses bit for bit with 1 thread, with 4 and further ahead, and with none', async () => {
    const featureCache = { maxGiB: 0 };
    const one = await losses(await mixedRun('one', { featureCache }, { decodeWorkers: 1, prefetchSteps: 0 }), {
      entry,
    });
    const four = await losses(await mixedRun('four', { featureCache }, { decodeWorkers: 4, prefetchSteps: 3 }), {
      entry,
    });
    const none = await losses(await mixedRun('none', { featureCache }, {}), { entry: new URL('file:///absent.js') });
    expect(one).toHaveLength(4);
    expect(four).toEqual(one);
    expect(none).toEqual(one);
  });

  it('packs them into rows, with the losses of padded batches', async () => {
    const noDropout = (config: RunConfig): RunConfig => {
      const { model } = config;
      return { ...config, model: { ...model, lora: { ...model.lora, dropout: 0 } } };
    };
    const base = { featureCache: { maxGiB: 0 }, groupByLength: false, epochs: 1, maxSteps: 1 };
    const padded = await losses(noDropout(await mixedRun('padded', base, {})), { entry });
    const packing = { ...base, packing: true, maxLength: 100 };
    const packed = await losses(noDropout(await mixedRun('packed', packing, {})), { entry });
    for (const [i, value] of (packed[0] ?? []).entries()) {
      const expected = padded[0]?.[i] ?? Number.NaN;
      // Measured 4e-8 for the loss and 2e-7 for the gradient norm: sums in another order.
      expect(Math.abs(value - expected) / expected).toBeLessThan(1e-6);
    }
  });
});
