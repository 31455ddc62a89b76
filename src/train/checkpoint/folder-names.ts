/** Names inside a run's checkpoint folder: `step-00001200`, `best`, and `.tmp-*` for what is not, or no longer, valid. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const STEP_NAME = /^step-(\d{8,})$/;
/** What a save creates, and what a removal renames first: a name, the process's id and a mark. */
const LEFTOVER_NAME = /^\.tmp-.+-(\d+)-(?:\d+|old)$/;

export interface StepFolder {
  readonly step: number;
  readonly path: string;
}

export function stepFolderName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

/** Name under which a folder waits for its removal, so that a removal cut short never looks like a checkpoint. */
export function discardedName(name: string): string {
  return `.tmp-${name}-${process.pid}-old`;
}

/** Newest first, complete or not; none when `dir` does not exist. */
export async function listStepFolders(dir: string): Promise<StepFolder[]> {
  const folders: StepFolder[] = [];
  for (const name of await listNames(dir)) {
    const step = STEP_NAME.exec(name)?.[1];
    if (step !== undefined) folders.push({ step: Number(step), path: join(dir, name) });
  }
  return folders.sort((a, b) => b.step - a.step);
}

/** Folders of saves and removals, with the process that made each. */
export async function listLeftovers(dir: string): Promise<{ path: string; pid: number }[]> {
  const leftovers: { path: string; pid: number }[] = [];
  for (const name of await listNames(dir)) {
    const pid = LEFTOVER_NAME.exec(name)?.[1];
    if (pid !== undefined) leftovers.push({ path: join(dir, name), pid: Number(pid) });
  }
  return leftovers;
}

async function listNames(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
