import { MimicError } from '../../base/errors.js';
import { checkSizes, readManifest } from '../../model/weights/manifest.js';
import { listLeftovers, listStepFolders, type StepFolder } from './folder-names.js';

export interface LatestCheckpoint {
  /** The newest complete checkpoint; undefined when there is none. */
  readonly latest: StepFolder | undefined;
  /** What was passed over on the way to it, with the reason. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Finds the checkpoint to resume from: computed from the folders, never stored, so it cannot be stale.
 *
 * Complete means that every file of the manifest has its size; loading checks the hashes too.
 *
 * @param damaged checkpoints to pass over, with the reason
 */
export async function findLatestCheckpoint(
  dir: string,
  damaged: ReadonlyMap<string, string> = new Map(),
): Promise<LatestCheckpoint> {
  const skipped: { path: string; reason: string }[] = [];
  for (const { path } of await listLeftovers(dir))
    skipped.push({ path, reason: 'a save or removal that did not finish' });
  for (const folder of await listStepFolders(dir)) {
    const reason = damaged.get(folder.path) ?? (await whyIncomplete(folder));
    if (reason === undefined) return { latest: folder, skipped };
    skipped.push({ path: folder.path, reason });
  }
  return { latest: undefined, skipped };
}

/** What keeps a folder from being a complete checkpoint; undefined when nothing does. */
export async function whyIncomplete({ path, step }: StepFolder): Promise<string | undefined> {
  try {
    const manifest = await readManifest(path);
    await checkSizes(path, manifest);
    return manifest.step === step ? undefined : `its manifest is of step ${manifest.step}`;
  } catch (error) {
    if (error instanceof MimicError) return error.message;
    throw error;
  }
}
