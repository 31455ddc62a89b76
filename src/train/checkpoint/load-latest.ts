import { CheckpointError } from '../../base/errors.js';
import { findLatestCheckpoint, type LatestCheckpoint } from './find-latest.js';
import { type LoadedCheckpoint, loadCheckpoint } from './load.js';

export interface LoadedLatest {
  /** Undefined when there is none. */
  readonly latest: { readonly path: string; readonly checkpoint: LoadedCheckpoint } | undefined;
  readonly skipped: LatestCheckpoint['skipped'];
}

/** Files that differ from their manifest: an earlier checkpoint may be whole. Other errors are no damage. */
const DAMAGED = /^E_CHECKPOINT_(MANIFEST|FILE_\w+)$/;

/** Loads the newest checkpoint whose every byte is as it was saved. */
export async function loadLatestCheckpoint(dir: string): Promise<LoadedLatest> {
  const damaged = new Map<string, string>();
  for (;;) {
    const { latest, skipped } = await findLatestCheckpoint(dir, damaged);
    if (latest === undefined) return { latest, skipped };
    try {
      return { latest: { path: latest.path, checkpoint: await loadCheckpoint(latest.path) }, skipped };
    } catch (error) {
      if (!(error instanceof CheckpointError) || !DAMAGED.test(error.code)) throw error;
      damaged.set(latest.path, error.message);
    }
  }
}
