/**
 * `best` is a relative link to a step's folder: replacing a link is atomic where replacing a folder is not, and costs
 * no second copy.
 */
import { readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { stepFolderName } from './folder-names.js';

export const BEST_NAME = 'best';

/** Points `best` at a saved step. Rejects with the system's error; then `best` is as before. */
export async function markBest(dir: string, step: number): Promise<void> {
  const temporary = join(dir, `.tmp-${BEST_NAME}-${process.pid}-0`);
  await rm(temporary, { force: true });
  try {
    await symlink(stepFolderName(step), temporary, 'dir');
    await rename(temporary, join(dir, BEST_NAME));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Folder name that `best` points at; undefined when there is no such link. */
export async function readBest(dir: string): Promise<string | undefined> {
  try {
    return basename(await readlink(join(dir, BEST_NAME)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EINVAL: a folder of that name, put there by hand.
    if (code === 'ENOENT' || code === 'EINVAL') return undefined;
    throw error;
  }
}
