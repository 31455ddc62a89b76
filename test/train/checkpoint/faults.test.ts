import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.js';
import {
  findLatestCheckpoint,
  loadCheckpoint,
  type SavedCheckpoint,
  saveCheckpoint,
} from '../../../src/train/checkpoint.js';
import { temporaryFolder } from '../temporary-folder.js';
import { contentsOf } from './contents.js';
import { type FsHook, interceptFs } from './intercept-fs.js';

const folder = temporaryFolder();
let restore: () => void = () => undefined;
afterEach(() => restore());

const systemError = (code: string, operation: string) =>
  Object.assign(new Error(`${code}: injected, ${operation}`), { code });

/** Saves under `hook`. */
async function saveUnder(hook: FsHook, dir: string, step: number): Promise<SavedCheckpoint | CheckpointError> {
  restore = await interceptFs(hook);
  try {
    return await saveCheckpoint(dir, { ...contentsOf(step), best: true });
  } catch (error) {
    if (error instanceof CheckpointError) return error;
    throw error;
  } finally {
    restore();
  }
}

const temporaryNames = (dir: string) => readdirSync(dir).filter((name) => name.startsWith('.tmp'));

describe('a save on a failing file system', () => {
  it.each([['EIO'], ['ENOSPC']])(
    'with %s at any single operation leaves a loadable checkpoint and nothing half written',
    async (code) => {
      let operations = 0;
      await saveUnder(() => void operations++, join(folder, `${code}-count`), 2);
      expect(operations).toBeGreaterThan(25);
      const before = join(folder, `${code}-before`);
      for (const step of [1, 2, 3]) await saveCheckpoint(before, contentsOf(step));
      let failed = 0;
      for (let failAt = 0; failAt < operations; failAt++) {
        const dir = join(folder, `${code}-${failAt}`);
        cpSync(before, dir, { recursive: true });
        let count = 0;
        const outcome = await saveUnder(
          (operation) => {
            if (count++ === failAt) throw systemError(code, operation);
          },
          dir,
          4,
        );
        const { latest } = await findLatestCheckpoint(dir);
        const loaded = await loadCheckpoint(latest?.path ?? 'none');
        expect(loaded.state).toEqual(contentsOf(loaded.step).state);
        if (outcome instanceof CheckpointError) {
          failed++;
          expect(outcome.message).toMatch(
            new RegExp(`step-00000004: saving failed \\(${code}: injected, .*\\); it needs .*, free are`),
          );
          expect(temporaryNames(dir)).toEqual([]);
          expect(outcome.hint).toContain('Earlier checkpoints are untouched');
        } else {
          expect(loaded.step).toBe(4);
        }
        const again = await saveCheckpoint(dir, contentsOf(5));
        expect(again.warnings).toEqual([]);
        expect(temporaryNames(dir)).toEqual([]);
      }
      // All but the removals at the end, which only warn.
      expect(failed).toBeGreaterThan(operations - 8);
    },
  );

  it('on a read-only folder changes nothing, names the folder and the space needed', async () => {
    const dir = join(folder, 'read-only');
    await saveCheckpoint(dir, contentsOf(1));
    const before = readdirSync(dir);
    const outcome = await saveUnder(
      (operation, path) => {
        if (path.startsWith(dir) && operation !== 'open') throw systemError('EROFS', operation);
      },
      dir,
      2,
    );
    expect(outcome).toBeInstanceOf(CheckpointError);
    expect(outcome).toMatchObject({ code: 'E_CHECKPOINT_SAVE' });
    expect((outcome as CheckpointError).message).toMatch(
      /^.*step-00000002: saving failed \(EROFS: injected, mkdir\); it needs \d.* B, free are \d/,
    );
    expect(readdirSync(dir)).toEqual(before);
  });

  it('where a file stands in place of the folder says so', async () => {
    const dir = join(folder, 'file');
    writeFileSync(dir, '');
    await expect(saveCheckpoint(dir, contentsOf(1))).rejects.toThrow(/step-00000001: saving failed \(EEXIST/);
  });

  it('keeps a step that is saved again until the new one is written', async () => {
    const dir = join(folder, 'again');
    await saveCheckpoint(dir, contentsOf(1));
    let syncs = 0;
    const outcome = await saveUnder(
      (operation) => {
        if (operation === 'sync' && ++syncs === 5) throw systemError('EIO', operation);
      },
      dir,
      1,
    );
    expect(outcome).toBeInstanceOf(CheckpointError);
    expect((await loadCheckpoint(join(dir, 'step-00000001'))).step).toBe(1);
    const state = { fresh: true };
    await saveCheckpoint(dir, { ...contentsOf(1), state });
    expect((await loadCheckpoint(join(dir, 'step-00000001'))).state).toEqual(state);
    expect(temporaryNames(dir)).toEqual([]);
  });

  it('warns, and is done, when an old checkpoint cannot be removed', async () => {
    const dir = join(folder, 'stuck');
    for (const step of [1, 2, 3]) await saveCheckpoint(dir, contentsOf(step));
    const outcome = await saveUnder(
      (operation, path) => {
        if (operation === 'rm' && path.includes('-old')) throw systemError('EBUSY', operation);
      },
      dir,
      4,
    );
    expect(outcome).toMatchObject({ removed: [join(dir, 'step-00000002')] });
    expect((outcome as SavedCheckpoint).warnings.join()).toContain('was not removed: EBUSY: injected, rm');
    expect((await findLatestCheckpoint(dir)).latest?.step).toBe(4);
  });

  it('refuses to point `best` through a folder someone made under that name', async () => {
    const dir = join(folder, 'best-folder');
    mkdirSync(join(dir, 'best'), { recursive: true });
    await expect(saveCheckpoint(dir, { ...contentsOf(1), best: true })).rejects.toThrow('saving failed (EISDIR');
    expect((await findLatestCheckpoint(dir)).latest?.step).toBe(1);
  });

  it('removes leftovers of dead processes only', async () => {
    const dir = join(folder, 'leftovers');
    const alive = `.tmp-step-00000009-${process.ppid}-0`;
    for (const name of ['.tmp-step-00000008-999999999-0', alive]) mkdirSync(join(dir, name), { recursive: true });
    symlinkSync('step-00000001', join(dir, '.tmp-best-999999999-0'));
    await saveCheckpoint(dir, contentsOf(1));
    expect(temporaryNames(dir)).toEqual([alive]);
    const { latest, skipped } = await findLatestCheckpoint(dir);
    expect(latest?.step).toBe(1);
    expect(skipped).toEqual([{ path: join(dir, alive), reason: 'a save or removal that did not finish' }]);
  });
});
