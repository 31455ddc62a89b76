import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/hash.js';
import { Rng } from '../../../src/base/rng.js';
import { loadCheckpoint, loadLatestCheckpoint, saveCheckpoint } from '../../../src/train/checkpoint.js';
import { temporaryFolder } from '../temporary-folder.js';
import { compileProgram } from './compile-program.js';
import { contentsOf } from './contents.js';
import { interceptFs } from './intercept-fs.js';

const folder = temporaryFolder();
const child = join(folder, 'program/test/train/checkpoint/save-child.js');
let restore: () => void = () => undefined;
afterEach(() => restore());

const copyFolder = (from: string, to: string) => cpSync(from, to, { recursive: true, verbatimSymlinks: true });

/** Every name, link and byte of a folder; what a process puts into names of its own is left out. */
function treeOf(dir: string, pid = process.pid): string[] {
  const lines = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => {
    const path = join(dir, name);
    const entry = lstatSync(path);
    const held = entry.isSymbolicLink() ? readlinkSync(path) : entry.isFile() ? sha256(readFileSync(path)) : 'folder';
    return `${name.replace(new RegExp(`-${pid}(-\\d+)?`, 'g'), '-PID')} ${held}`;
  });
  return lines.sort();
}

describe('a save killed with SIGKILL', () => {
  const before = join(folder, 'before');
  beforeAll(async () => {
    compileProgram(join(folder, 'program'), 'save-child');
    await saveCheckpoint(before, { ...contentsOf(1), best: true });
    await saveCheckpoint(before, contentsOf(2));
  });

  /** Runs the child on a copy of `before`, to be killed at change `killAt`. */
  function runChild(killAt: number) {
    const dir = join(folder, 'run');
    rmSync(dir, { recursive: true, force: true });
    copyFolder(before, dir);
    const { pid, signal, stdout, stderr } = spawnSync(process.execPath, [child, dir, '3', String(killAt)], {
      encoding: 'utf8',
    });
    return { dir, pid, signal, output: stdout + stderr };
  }

  it('leaves the folder as it was before the change that it was killed at', async () => {
    const dir = join(folder, 'copied');
    copyFolder(before, dir);
    const trees: string[][] = [];
    restore = await interceptFs(() => trees.push(treeOf(dir)));
    await saveCheckpoint(dir, { ...contentsOf(3), best: true, extraFiles: [child] });
    restore();
    expect(trees.length).toBeGreaterThan(40);
    // MIMIC_KILL_POINTS=all takes every one; a process a point is what takes time.
    const all = [...trees.keys()];
    const points = process.env['MIMIC_KILL_POINTS'] === 'all' ? all : new Rng(15).shuffle([...all]).slice(0, 6);
    for (const killAt of points) {
      const killed = runChild(killAt);
      expect(`${killed.signal} ${killed.output}`, `killed at ${killAt}`).toBe('SIGKILL ');
      expect(treeOf(killed.dir, killed.pid), `killed at ${killAt}`).toEqual(trees[killAt]);
    }
  });
});

/** Saves of a run that goes back once, prunes, and moves its best. */
const SAVES = [
  { step: 1, best: true },
  { step: 2, best: false },
  { step: 3, best: true },
  { step: 4, best: false },
  { step: 3, best: false },
  { step: 4, best: true },
  { step: 5, best: false },
  { step: 6, best: true },
];
const POINTS = 200;

describe('resuming after a kill at any of 200 seeded points of eight saves', () => {
  it('finds the newest complete checkpoint; the next save works and cleans up', async () => {
    const dir = join(folder, 'sequence');
    const save = async (to: string, each: (operation: string, path: string) => void) => {
      restore = await interceptFs(each);
      for (const { step, best } of SAVES) await saveCheckpoint(to, { ...contentsOf(step), best });
      restore();
    };
    let changes = 0;
    await save(join(folder, 'count'), () => changes++);
    expect(changes).toBeGreaterThan(2 * POINTS - 50);
    const chosen = new Set(new Rng(200).shuffle(Int32Array.from({ length: changes }, (_, i) => i)).slice(0, POINTS));

    // What a killed process leaves is a copy of the folder at that change: the test above.
    const complete = new Set<number>();
    let change = 0;
    let after = () => {};
    const snapshots: { path: string; newest: number | undefined }[] = [];
    await save(dir, (operation, source) => {
      after();
      after = () => {};
      const [, temporary, step] = /^(\.tmp-)?step-(\d+)/.exec(basename(source)) ?? [];
      // A rename of a temporary folder commits it; one of a step's folder takes that away.
      if (operation === 'rename' && step !== undefined) {
        after = () => (temporary === undefined ? complete.delete(Number(step)) : complete.add(Number(step)));
      }
      if (chosen.has(change++) && existsSync(dir)) {
        const path = join(folder, `killed-${change}`);
        copyFolder(dir, path);
        snapshots.push({ path, newest: complete.size === 0 ? undefined : Math.max(...complete) });
      }
    });
    expect(snapshots.length).toBeGreaterThan(POINTS - 5);
    expect(new Set(snapshots.map(({ newest }) => newest))).toEqual(new Set([undefined, 1, 2, 3, 4, 5, 6]));

    for (const [i, { path, newest }] of snapshots.entries()) {
      const { latest, skipped } = await loadLatestCheckpoint(path);
      expect(latest?.checkpoint.step, path).toBe(newest);
      if (latest !== undefined) {
        expect(latest.checkpoint.state).toEqual(contentsOf(latest.checkpoint.step).state);
        expect(latest.checkpoint.optimizer).toEqual(contentsOf(latest.checkpoint.step).optimizer);
      }
      // Only a save or removal cut short is passed over, never a folder that looks like a checkpoint.
      for (const { reason } of skipped) expect(reason).toBe('a save or removal that did not finish');
      const best = join(path, 'best');
      // The first save commits before it points at itself; a link, once there, leads to a whole checkpoint or, while the
      // one it leads to is saved again, nowhere.
      if (existsSync(best)) expect([1, 3, 4, 6]).toContain((await loadCheckpoint(best)).step);
      if (i % 4 !== 0) continue;
      const { warnings } = await saveCheckpoint(path, contentsOf(7));
      expect(warnings).toEqual([]);
      expect(readdirSync(path).filter((name) => name.startsWith('.tmp'))).toEqual([]);
      expect((await loadLatestCheckpoint(path)).latest?.checkpoint.step).toBe(7);
    }
  });
});
