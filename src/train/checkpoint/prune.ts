import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readBest } from './best.js';
import { whyIncomplete } from './find-latest.js';
import { discardedName, listLeftovers, listStepFolders } from './folder-names.js';

export interface Pruned {
  readonly removed: readonly string[];
  /** What could not be removed, and why: a save that is done does not fail for it. */
  readonly warnings: readonly string[];
}

/**
 * Removes complete checkpoints older than the newest `keep` up to `step`, and what removals left behind.
 *
 * Those after `step` stay (the run went back to an earlier one), as does the one `best` points at, and whatever is
 * incomplete: it may tell what went wrong.
 */
export async function pruneCheckpoints(dir: string, step: number, keep: number): Promise<Pruned> {
  const removed: string[] = [];
  const warnings: string[] = [];
  try {
    const best = await readBest(dir);
    let complete = 0;
    for (const folder of await listStepFolders(dir)) {
      if (folder.step > step || (await whyIncomplete(folder)) !== undefined) continue;
      complete++;
      if (complete <= keep || basename(folder.path) === best) continue;
      await rename(folder.path, join(dir, discardedName(basename(folder.path))));
      removed.push(folder.path);
    }
  } catch (error) {
    warnings.push(`${dir}: an old checkpoint was not removed: ${(error as Error).message}`);
  }
  return { removed, warnings: [...warnings, ...(await removeLeftovers(dir))] };
}

/**
 * Removes what saves and removals left behind, unless the process that made it still runs. Never call it beside
 * another save of this process into the same folder.
 *
 * @returns a warning for each folder that could not be removed
 */
export async function removeLeftovers(dir: string): Promise<string[]> {
  const warnings: string[] = [];
  for (const { path, pid } of await listLeftovers(dir)) {
    // Own id: this process is done with it, or an earlier one had the id, as the first of every container does.
    if (pid !== process.pid && isRunning(pid)) continue;
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      warnings.push(`${path}: was not removed: ${(error as Error).message}`);
    }
  }
  return warnings;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
