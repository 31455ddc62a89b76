import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { findLatestCheckpoint, loadCheckpoint, saveCheckpoint } from '../../../src/train/checkpoint.js';
import { temporaryFolder } from '../temporary-folder.js';
import { compileProgram } from './compile-program.js';
import { contentsOf } from './contents.js';

const folder = temporaryFolder();
const before = join(folder, 'before');
const child = join(folder, 'program/test/train/checkpoint/save-child.js');

/** Runs the child on a copy of `before`, to be killed at change `killAt`. */
function runChild(killAt: number): { dir: string; signal: string | null; output: string } {
  const dir = join(folder, 'run');
  rmSync(dir, { recursive: true, force: true });
  cpSync(before, dir, { recursive: true, verbatimSymlinks: true });
  const { signal, stdout, stderr } = spawnSync(process.execPath, [child, dir, '3', String(killAt)], {
    encoding: 'utf8',
  });
  return { dir, signal, output: stdout + stderr };
}

beforeAll(async () => {
  compileProgram(join(folder, 'program'), 'save-child');
  await saveCheckpoint(before, { ...contentsOf(1), best: true });
  await saveCheckpoint(before, contentsOf(2));
});

describe('a save killed with SIGKILL', () => {
  it('leaves a complete checkpoint to resume from at every point, and the next save works and cleans up', async () => {
    const whole = runChild(-1);
    const changes = Number(whole.output);
    expect(whole.signal).toBeNull();
    expect(changes).toBeGreaterThan(40);
    // A seeded choice and the two last points, which come after the commit; MIMIC_KILL_POINTS=all takes every one.
    const all = Array.from({ length: changes }, (_, i) => i);
    const chosen = [...new Rng(15).shuffle(all.slice(0, -2)).slice(0, 13), ...all.slice(-2)];
    const points = process.env['MIMIC_KILL_POINTS'] === 'all' ? all : chosen;
    const resumedFrom = new Map<number, number>();
    for (const killAt of points) {
      const { dir, signal, output } = runChild(killAt);
      expect(`${signal} ${output}`, `killed at ${killAt}`).toBe('SIGKILL ');
      const { latest } = await findLatestCheckpoint(dir);
      const loaded = await loadCheckpoint(latest?.path ?? 'none');
      expect(loaded.step).toBe(latest?.step);
      expect(loaded.state).toEqual(contentsOf(loaded.step).state);
      expect(loaded.optimizer).toEqual(contentsOf(loaded.step).optimizer);
      expect([1, 3]).toContain((await loadCheckpoint(join(dir, 'best'))).step);
      resumedFrom.set(killAt, loaded.step);

      const { warnings } = await saveCheckpoint(dir, contentsOf(4));
      expect(warnings).toEqual([]);
      expect(readdirSync(dir).filter((name) => name.startsWith('.tmp'))).toEqual([]);
      expect((await findLatestCheckpoint(dir)).latest?.step).toBe(4);
    }
    // Never step 1: the newest complete one is found. Once step 3 is there it stays.
    const steps = [...resumedFrom].sort(([a], [b]) => a - b).map(([, step]) => step);
    expect(new Set(steps)).toEqual(new Set([2, 3]));
    expect(steps).toEqual([...steps].sort());
  });
});
