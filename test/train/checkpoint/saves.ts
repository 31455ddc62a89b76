import { type SavedCheckpoint, saveCheckpoint } from '../../../src/train/checkpoint/save.js';
import { contentsOf } from './contents.js';

export interface PlannedSave {
  readonly step: number;
  readonly best: boolean;
}

/** Of a run that goes back once, prunes, and moves its best. */
export const SAVES: readonly PlannedSave[] = [
  { step: 1, best: true },
  { step: 2, best: false },
  { step: 3, best: true },
  { step: 4, best: false },
  { step: 3, best: false },
  { step: 4, best: true },
  { step: 5, best: false },
  { step: 6, best: true },
];

/** One after the other into a folder, each with a file that it carries along: the same changes to the disk every time. */
export async function saveAll(
  dir: string,
  saves: readonly PlannedSave[],
  carried: string,
): Promise<readonly SavedCheckpoint[]> {
  const saved: SavedCheckpoint[] = [];
  for (const { step, best } of saves) {
    saved.push(await saveCheckpoint(dir, { ...contentsOf(step), best, extraFiles: [carried] }));
  }
  return saved;
}
