import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { loadLatestCheckpoint } from '../../../src/train/checkpoint.js';
import { tune } from '../../../src/train/tune.js';
import { NATIVE } from '../../backend/native.js';
import { useBackend } from '../../support/backends.js';
import { tinyRun } from '../../support/tiny-run.js';
import { interceptFs } from '../checkpoint/intercept-fs.js';

const dir = mkdtempSync(join(tmpdir(), 'mimic-damaged-'));
afterAll(() => rmSync(dir, { recursive: true }));
let restore: () => void = () => undefined;
afterEach(() => restore());

describe('a run whose newest checkpoint', () => {
  useBackend(NATIVE);
  let config: Awaited<ReturnType<typeof tinyRun>>['config'];
  let frames: Awaited<ReturnType<typeof tinyRun>>['frames'];
  /** Four steps of six done, a checkpoint after each second one. */
  const whole = join(dir, 'whole');
  const at = (name: string) => ({ ...config, out: join(dir, name) });
  const weights = (name: string) => readFileSync(join(dir, name, 'run/step-00000006/model.safetensors'));

  beforeAll(async () => {
    const train = { epochs: 2, accumulate: 1, evalEverySteps: 100, saveEverySteps: 2 };
    ({ config, frames } = await tinyRun(dir, { train: 6, validation: 2 }, { train }));
    const stop = new AbortController();
    const onStep = ({ step }: { step: number }) => step === 4 && stop.abort();
    await tune({ config: at('whole'), frames, resume: false, signal: stop.signal, onStep });
    cpSync(whole, join(dir, 'straight'), { recursive: true, verbatimSymlinks: true });
    await tune({ config: at('straight'), frames, resume: true });
  });

  const files = () => readdirSync(join(whole, 'run/step-00000004'));

  it('has a flipped bit or is cut, in any file, is passed over with the reason', async () => {
    const rng = new Rng(31);
    for (const name of files()) {
      const file = join(whole, 'run/step-00000004', name);
      const bytes = readFileSync(file);
      for (let point = 0; point < 25; point++) {
        if (rng.int(2) === 0) truncateSync(file, rng.int(bytes.length));
        else {
          const damaged = Buffer.from(bytes);
          const place = rng.int(bytes.length);
          damaged[place] = (damaged[place] ?? 0) ^ (1 << rng.int(8));
          writeFileSync(file, damaged);
        }
        const { latest, skipped } = await loadLatestCheckpoint(join(whole, 'run'));
        expect(latest?.checkpoint.step).toBe(2);
        expect(skipped).toEqual([{ path: join(whole, 'run/step-00000004'), reason: expect.stringContaining(file) }]);
        writeFileSync(file, bytes);
      }
    }
    expect((await loadLatestCheckpoint(join(whole, 'run'))).latest?.checkpoint.step).toBe(4);
  });

  it('was damaged goes on from the one before it and ends with the same weights', async () => {
    cpSync(whole, join(dir, 'flipped'), { recursive: true, verbatimSymlinks: true });
    const file = join(dir, 'flipped/run/step-00000004/optimizer.msgpack');
    const bytes = readFileSync(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const steps: number[] = [];
    await tune({ config: at('flipped'), frames, resume: true, onStep: ({ step }) => steps.push(step) });
    expect(steps).toEqual([3, 4, 5, 6]);
    expect(weights('flipped').equals(weights('straight'))).toBe(true);
  });

  it('could not be saved on a full disk says so, and goes on when there is space', async () => {
    cpSync(whole, join(dir, 'full'), { recursive: true, verbatimSymlinks: true });
    restore = await interceptFs((operation) => {
      if (operation !== 'half-written') return;
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    });
    const failed = tune({ config: at('full'), frames, resume: true });
    await expect(failed).rejects.toMatchObject({
      code: 'E_CHECKPOINT_SAVE',
      message: expect.stringMatching(/step-00000006: saving failed \(ENOSPC.*\); it needs .*, free are/),
      hint: expect.stringContaining('Earlier checkpoints are untouched'),
    });
    restore();
    expect(readdirSync(join(dir, 'full/run')).filter((name) => name.startsWith('.tmp'))).toEqual([]);
    await tune({ config: at('full'), frames, resume: true });
    expect(weights('full').equals(weights('straight'))).toBe(true);
  });

  it('is the only one and damaged is named when nothing is left to resume from', async () => {
    cpSync(whole, join(dir, 'none'), { recursive: true, verbatimSymlinks: true });
    for (const step of readdirSync(join(dir, 'none/run')).filter((name) => name.startsWith('step-'))) {
      truncateSync(join(dir, 'none/run', step, 'model.safetensors'), 10);
    }
    await expect(tune({ config: at('none'), frames, resume: true })).rejects.toMatchObject({
      code: 'E_NOTHING_TO_RESUME',
    });
  });
});
