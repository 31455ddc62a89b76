import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { findLatestCheckpoint, loadCheckpoint } from '../../../src/train/checkpoint.js';
import { tune } from '../../../src/train/tune.js';
import { NATIVE } from '../../backend/native.js';
import { temporaryFolder } from '../temporary-folder.js';
import { compileProgram } from './compile-program.js';
import { crashRun } from './crash-run.js';

const folder = temporaryFolder();
const POINTS = 4;

function runChild(name: string, crashAt: number): { dir: string; signal: string | null; output: string } {
  const dir = join(folder, name);
  mkdirSync(dir);
  const child = join(folder, 'program/test/train/checkpoint/crash-child.js');
  const { signal, stdout, stderr } = spawnSync(process.execPath, [child, dir, String(crashAt)], { encoding: 'utf8' });
  return { dir, signal, output: stdout + stderr };
}

beforeAll(async () => {
  compileProgram(join(folder, 'program'), 'crash-child');
  await tf.setBackend(NATIVE.name);
}, 120_000);

describe('a segmentation fault inside a kernel', () => {
  it('loses nothing that was saved: the run goes on from a complete checkpoint and ends with the same weights', async () => {
    const straight = runChild('straight', -1);
    expect(straight.signal, straight.output).toBeNull();
    const changes = Number(straight.output);
    expect(changes).toBeGreaterThan(40);
    const weights = (dir: string) => readFileSync(join(dir, 'checkpoints/run/step-00000006/model.safetensors'));

    const rng = new Rng(4, 'crash');
    // From the first save on: before it there is nothing to resume.
    for (let point = 0; point < POINTS; point++) {
      const crashAt = Math.floor(changes / 2) + rng.int(Math.floor(changes / 2));
      const { dir, signal, output } = runChild(`crash-${point}`, crashAt);
      expect(`${signal} ${output}`, `crash at change ${crashAt}`).toBe('SIGSEGV ');
      const { latest } = await findLatestCheckpoint(join(dir, 'checkpoints/run'));
      expect((await loadCheckpoint(latest?.path ?? 'none')).step).toBe(latest?.step);
      const { reason, steps } = await tune({ ...(await crashRun(dir)), resume: true });
      expect({ reason, steps }).toEqual({ reason: 'finished', steps: 6 });
      expect(weights(dir).equals(weights(straight.dir))).toBe(true);
    }
  }, 120_000);
});
