/** `kill -9` while a checkpoint is saved. MIMIC_KILL_POINTS=all kills a process at every point instead of some. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/hash.js';
import { Rng } from '../../../src/base/rng.js';
import { loadCheckpoint, loadLatestCheckpoint, saveCheckpoint } from '../../../src/train/checkpoint.js';
import { temporaryFolder } from '../temporary-folder.js';
import { compileProgram } from './compile-program.js';
import { contentsOf } from './contents.js';
import { type FsHook, interceptFs } from './intercept-fs.js';
import { type PlannedSave, SAVES, saveAll } from './saves.js';

const folder = temporaryFolder();
let child = '';
let restore: () => void = () => undefined;
beforeAll(() => {
  child = compileProgram(join(folder, 'program'), 'save-child');
}, 60_000);
afterEach(() => restore());

const isAll = process.env['MIMIC_KILL_POINTS'] === 'all';
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

/** A process that saves into `dir` and is killed at a change; anything else fails the test. @returns its id */
async function killAt(change: number, dir: string, saves: readonly PlannedSave[]): Promise<number> {
  const killed = spawn(process.execPath, [child, dir, JSON.stringify(saves), String(change)]);
  let output = '';
  for (const stream of [killed.stdout, killed.stderr]) stream.on('data', (text) => (output += text));
  const [, signal] = await once(killed, 'close');
  expect(`${signal} ${output}`, `killed at ${change}`).toBe('SIGKILL ');
  return killed.pid ?? 0;
}

/** The same saves in this process, watched. */
async function watched(dir: string, saves: readonly PlannedSave[], hook: FsHook): Promise<void> {
  restore = await interceptFs(hook);
  await saveAll(dir, saves, child);
  restore();
}

describe('a save killed with SIGKILL', () => {
  it('leaves the folder as it was before the change that it was killed at', async () => {
    const before = join(folder, 'before');
    await saveAll(
      before,
      [
        { step: 1, best: true },
        { step: 2, best: false },
      ],
      child,
    );
    const saves = [{ step: 3, best: true }];
    const trees: string[][] = [];
    copyFolder(before, join(folder, 'copied'));
    await watched(join(folder, 'copied'), saves, () => trees.push(treeOf(join(folder, 'copied'))));
    expect(trees.length).toBeGreaterThan(40);
    const all = [...trees.keys()];
    for (const point of isAll ? all : new Rng(15).shuffle([...all]).slice(0, 6)) {
      const dir = join(folder, 'run');
      rmSync(dir, { recursive: true, force: true });
      copyFolder(before, dir);
      expect(treeOf(dir, await killAt(point, dir, saves)), `killed at ${point}`).toEqual(trees[point]);
    }
  }, 120_000);
});

const POINTS = 200;
/** Of these, one in eight is a process killed; the rest are copies of the folder at the change, which is what one leaves. */
const KILLED_SHARE = 8;

describe('resuming after a kill at any of 200 seeded points of eight saves', () => {
  /** What the copies and the killed processes leave is in `killed-<change>`. @returns the newest whole step by change */
  async function leaveAll(): Promise<Map<number, number | undefined>> {
    let changes = 0;
    await watched(join(folder, 'count'), SAVES, () => changes++);
    expect(changes).toBeGreaterThan(2 * POINTS - 50);
    const points = new Rng(200).shuffle(Array.from({ length: changes }, (_, i) => i)).slice(0, POINTS);
    const killed = new Set(isAll ? points : points.filter((_, i) => i % KILLED_SHARE === 0));

    const dir = join(folder, 'sequence');
    const newestAt = new Map<number, number | undefined>();
    const complete = new Set<number>();
    const chosen = new Set(points);
    let change = -1;
    let after = () => {};
    await watched(dir, SAVES, (operation, source) => {
      after();
      after = () => {};
      change++;
      const [, temporary, step] = /^(\.tmp-)?step-(\d+)/.exec(basename(source)) ?? [];
      // A rename of a temporary folder commits it; one of a step's folder takes that away.
      if (operation === 'rename' && step !== undefined) {
        after = () => (temporary === undefined ? complete.delete(Number(step)) : complete.add(Number(step)));
      }
      if (!chosen.has(change)) return;
      newestAt.set(change, complete.size === 0 ? undefined : Math.max(...complete));
      if (!killed.has(change) && existsSync(dir)) copyFolder(dir, join(folder, `killed-${change}`));
    });
    const waiting = [...killed];
    const work = async () => {
      for (let point = waiting.pop(); point !== undefined; point = waiting.pop()) {
        await killAt(point, join(folder, `killed-${point}`), SAVES);
      }
    };
    await Promise.all([work(), work()]);
    return newestAt;
  }

  it('finds the newest complete checkpoint; the next save works and cleans up', async () => {
    const newestAt = await leaveAll();
    expect(newestAt.size).toBe(POINTS);
    expect(new Set(newestAt.values())).toEqual(new Set([undefined, 1, 2, 3, 4, 5, 6]));
    for (const [i, [change, newest]] of [...newestAt].entries()) {
      const path = join(folder, `killed-${change}`);
      // Killed before it made the folder.
      mkdirSync(path, { recursive: true });
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
  }, 240_000);
});
