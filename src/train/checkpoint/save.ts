import { copyFile, mkdir, rename, stat, statfs, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeDirectoryAtomic } from '../../base/atomic-file.js';
import { CheckpointError, ConfigError, MimicError } from '../../base/errors.js';
import { formatBytes } from '../../base/format.js';
import { sha256 } from '../../base/hash.js';
import { INPUT_NAME, type InputFingerprint, inputJson } from '../../data/input-file.js';
import { MANIFEST_NAME, writeManifest } from '../../model/weights/manifest.js';
import { entryBytes, type SafetensorsEntry, writeSafetensors } from '../../model/weights/safetensors-writer.js';
import type { ParameterMoments } from '../optimizer.js';
import { markBest } from './best.js';
import { discardedName, stepFolderName } from './folder-names.js';
import { type Pruned, pruneCheckpoints, removeLeftovers } from './prune.js';
import { encodeValue, writeRecords } from './records.js';

export const FILES = {
  weights: 'model.safetensors',
  optimizer: 'optimizer.msgpack',
  state: 'state.msgpack',
  config: 'config.yaml',
} as const;

export interface CheckpointContents {
  /** Optimizer steps done. */
  readonly step: number;
  /** Trained weights by parameter name. */
  readonly weights: Iterable<SafetensorsEntry>;
  readonly optimizer: readonly ParameterMoments[];
  /** The loop's own: position, random state, best metric. Plain objects, arrays, numbers, strings and typed arrays. */
  readonly state: unknown;
  readonly configYaml: string;
  readonly backend: string;
  /** How the model's inputs are made, for input.json. */
  readonly input?: InputFingerprint;
  /** Files to copy in under their own names, such as tokenizer.json. */
  readonly extraFiles?: readonly string[];
  /** Newest checkpoints to leave in the folder, 2 or more. */
  readonly keep?: number;
  /** Point `best` at this one. */
  readonly best?: boolean;
}

export interface SavedCheckpoint extends Pruned {
  readonly path: string;
  readonly bytes: number;
}

/** Files grow by headers and rounding to blocks. */
const SPACE_FACTOR = 1.1;

/**
 * Saves `dir/step-00001200`: all of it or nothing, whenever the process or the machine stops. One save at a time.
 *
 * The files are written and fsynced under a temporary name, the manifest last; a rename makes them a checkpoint.
 *
 * @throws CheckpointError E_CHECKPOINT_DISK_FULL, E_CHECKPOINT_SAVE; earlier checkpoints are then untouched
 */
export async function saveCheckpoint(dir: string, contents: CheckpointContents): Promise<SavedCheckpoint> {
  const { step, keep = 2 } = contents;
  if (!Number.isSafeInteger(keep) || keep < 2) {
    const message = `Checkpoints to keep: got ${keep}, expected 2 or more: the newest may turn out damaged.`;
    throw new ConfigError('E_CHECKPOINT_KEEP', message, { hint: 'Set train.keepCheckpoints to 2.' });
  }
  const path = join(dir, stepFolderName(step));
  const weights = [...contents.weights];
  try {
    await mkdir(dir, { recursive: true });
    const warnings = await removeLeftovers(dir);
    await checkFreeSpace(dir, path, await neededBytes(contents, weights));
    let bytes = 0;
    await replaceFolder(path, async (folder) => {
      bytes = await writeContents(folder, contents, weights);
    });
    if (contents.best === true) await markBest(dir, step);
    const pruned = await pruneCheckpoints(dir, step, keep);
    return { path, bytes, removed: pruned.removed, warnings: [...new Set([...warnings, ...pruned.warnings])] };
  } catch (cause) {
    if (cause instanceof MimicError) throw cause;
    const needed = formatBytes(await neededBytes(contents, weights).catch(() => 0));
    const free = await freeBytes(dir).then(formatBytes, () => 'unknown');
    const message = `${path}: saving failed (${(cause as Error).message}); it needs ${needed}, free are ${free}.`;
    const hint = 'Earlier checkpoints are untouched. Free some space or mend the permissions, then resume.';
    throw new CheckpointError('E_CHECKPOINT_SAVE', message, { hint, cause });
  }
}

async function writeContents(folder: string, contents: CheckpointContents, weights: readonly SafetensorsEntry[]) {
  const { step, optimizer, state, configYaml, backend, input, extraFiles = [] } = contents;
  await writeSafetensors(join(folder, FILES.weights), weights, { step: String(step) });
  await writeRecords(join(folder, FILES.optimizer), optimizer);
  await writeFile(join(folder, FILES.state), encodeValue(state), { flag: 'wx' });
  await writeFile(join(folder, FILES.config), configYaml, { flag: 'wx' });
  if (input !== undefined) await writeFile(join(folder, INPUT_NAME), inputJson(input), { flag: 'wx' });
  const taken = new Set<string>([...Object.values(FILES), INPUT_NAME, MANIFEST_NAME]);
  for (const source of extraFiles) {
    const name = basename(source);
    if (taken.has(name)) {
      throw new CheckpointError('E_CHECKPOINT_SAVE', `${source}: a checkpoint already holds a file named ${name}.`);
    }
    taken.add(name);
    await copyFile(source, join(folder, name));
  }
  const manifest = await writeManifest(folder, { step, backend, configHash: sha256(configYaml) });
  return manifest.files.reduce((sum, file) => sum + file.bytes, 0);
}

/**
 * Writes a folder that takes the place of one of the same name: a run that went back saves its steps again. The old
 * one is renamed once the new one is written, and removed with the other leftovers.
 */
async function replaceFolder(path: string, write: (folder: string) => Promise<void>): Promise<void> {
  const old = join(path, '..', discardedName(basename(path)));
  let isOldSetAside = false;
  try {
    await writeDirectoryAtomic(path, async (folder) => {
      await write(folder);
      isOldSetAside = await renameIfPresent(path, old);
    });
  } catch (error) {
    if (isOldSetAside && !(await exists(path))) await rename(old, path);
    throw error;
  }
}

async function renameIfPresent(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function neededBytes(contents: CheckpointContents, weights: readonly SafetensorsEntry[]): Promise<number> {
  let bytes = encodeValue(contents.state).length + Buffer.byteLength(contents.configYaml);
  for (const entry of weights) bytes += entryBytes(entry);
  for (const { m, v } of contents.optimizer) bytes += m.byteLength + v.byteLength;
  for (const file of contents.extraFiles ?? []) bytes += (await stat(file)).size;
  return Math.ceil(bytes * SPACE_FACTOR);
}

async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

async function checkFreeSpace(dir: string, path: string, needed: number): Promise<void> {
  const free = await freeBytes(dir);
  if (free >= needed) return;
  const message = `${path}: the checkpoint needs ${formatBytes(needed)}, free are ${formatBytes(free)}.`;
  const hint = 'Free some space or lower train.keepCheckpoints, then resume; earlier checkpoints are untouched.';
  throw new CheckpointError('E_CHECKPOINT_DISK_FULL', message, { hint, context: { needed, free } });
}
