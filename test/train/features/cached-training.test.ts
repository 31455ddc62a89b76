import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { useBackend as start } from '../../../src/backend/select.js';
import { log } from '../../../src/base/logger.js';
import { videoKey } from '../../../src/data/video/open-video.js';
import { decodeSafetensors } from '../../../src/model/weights/safetensors-bytes.js';
import { tune } from '../../../src/train/tune.js';
import { NATIVE } from '../../backend/native.js';
import { useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { tinyRun } from '../../support/tiny-run.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();
const VIDEOS = { train: 6, validation: 2 };

interface Options {
  readonly name: string;
  readonly maxGiB: number;
  readonly featureCacheMiB?: number;
}

/** Three epochs of three steps; nothing is kept in memory unless asked. */
async function train({ name, maxGiB, featureCacheMiB = 0 }: Options) {
  const { config, frames } = await tinyRun(folder, VIDEOS, {
    name,
    train: {
      ...{ epochs: 3, batchSize: 2, accumulate: 1, evalEverySteps: 3, featureCacheMiB },
      featureCache: { dir: join(folder, 'features'), maxGiB },
    },
  });
  const decodes: string[] = [];
  const losses: (number | undefined)[][] = [];
  await tune({
    config,
    resume: false,
    frames: (input) => {
      decodes.push(videoKey(input));
      return frames(input);
    },
    onStep: ({ step, loss, gradNorm, validation }) => {
      losses.push([step, loss, gradNorm, validation?.loss, decodes.length]);
    },
  });
  return { config, decodes, losses: losses.map((row) => row.slice(0, 4)), decodesAfter: losses.map((row) => row[4]) };
}

/** Files that records name: random bytes, which the decoder of these tests does not read. */
async function makeVideos() {
  const { config } = await tinyRun(folder, VIDEOS);
  const lines = [config.data.train, config.data.validation].flatMap((path) =>
    readFileSync(path ?? '', 'utf8')
      .trim()
      .split('\n'),
  );
  const paths = lines.map((line) => join(folder, JSON.parse(line).video_path));
  for (const [i, path] of paths.entries()) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `video ${i}`);
  }
  return paths;
}

describe('training with the feature cache', () => {
  useBackend(NATIVE);
  checkLeaks();
  afterAll(() => start({ backend: 'native', device: 'cpu' }));

  it('gives the losses of training without it, bit for bit, and decodes nothing from the second epoch on', async () => {
    const paths = await makeVideos();
    const without = await train({ name: 'without', maxGiB: 0 });
    const filling = await train({ name: 'filling', maxGiB: 1 });
    const filled = await train({ name: 'filled', maxGiB: 1 });
    expect(filling.losses).toEqual(without.losses);
    expect(filled.losses).toEqual(without.losses);
    // Each video once, and no more after the first epoch, whose last step validates.
    expect(filling.decodes.sort()).toEqual(paths.sort());
    expect(filling.decodesAfter.slice(2)).toEqual(Array(7).fill(paths.length));
    expect(filled.decodes).toEqual([]);
    expect(without.decodes.length).toBeGreaterThan(3 * VIDEOS.train);
  });

  it('stores bf16 in bf16 precision, and gives the same losses', async () => {
    await start({ backend: 'native', device: 'cpu', precision: 'bf16' });
    const without = await train({ name: 'bf16-without', maxGiB: 0 });
    const filling = await train({ name: 'bf16-filling', maxGiB: 1 });
    const filled = await train({ name: 'bf16-filled', maxGiB: 1 });
    expect(filling.losses).toEqual(without.losses);
    expect(filled.losses).toEqual(without.losses);
    expect(filled.decodes).toEqual([]);
    await start({ backend: 'native', device: 'cpu', precision: 'fp32' });
    const files = readdirSync(join(folder, 'features'), { recursive: true, encoding: 'utf8' });
    const dtypes = files
      .filter((name) => name.endsWith('.safetensors'))
      .map((name) => {
        const { tensors } = decodeSafetensors(name, new Uint8Array(readFileSync(join(folder, 'features', name))));
        return Array.from(tensors.values(), ({ dtype }) => dtype).join();
      });
    expect(dtypes.sort()).toEqual([...Array(8).fill('BF16,BF16'), ...Array(8).fill('F32,F32')]);
  });

  it('computes what is damaged again, with the same losses', async () => {
    const warnings = vi.spyOn(log, 'warn').mockImplementation(() => undefined);
    const dir = join(folder, 'features');
    for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.safetensors')) continue;
      const bytes = readFileSync(join(dir, name));
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
      writeFileSync(join(dir, name), bytes);
    }
    const without = await train({ name: 'damaged-without', maxGiB: 0 });
    const damaged = await train({ name: 'damaged', maxGiB: 1 });
    expect(damaged.losses).toEqual(without.losses);
    expect(damaged.decodes).toHaveLength(8);
    expect(warnings.mock.calls.filter(([text]) => String(text).includes('checksum'))).toHaveLength(1);
    warnings.mockRestore();
    log.summarizeWarnings();
  });

  it('goes on where the cache cannot be written, or the files cannot be read', async () => {
    const warnings = vi.spyOn(log, 'warn').mockImplementation(() => undefined);
    const { config, frames } = await tinyRun(
      join(folder, 'no-files'),
      { train: 2, validation: 1 },
      {
        train: { epochs: 1, evalEverySteps: 100 },
      },
    );
    // No video file is there at all: whoever decodes says so, or has the frames from elsewhere.
    await tune({ config, frames, resume: false });
    expect(readdirSync(config.out)).toEqual(['run']);
    expect(warnings).not.toHaveBeenCalled();

    const blocked = join(folder, 'a-file');
    writeFileSync(blocked, '');
    const featureCache = { ...config.train.featureCache, dir: join(blocked, 'features') };
    const other = {
      ...config,
      name: 'blocked',
      data: { ...config.data, root: folder },
      train: { ...config.train, featureCache },
    };
    await tune({ config: other, frames, resume: false });
    expect(warnings.mock.calls.map(String)).toEqual([expect.stringMatching(/cannot be written \(ENOTDIR/)]);
    warnings.mockRestore();
  });
});
