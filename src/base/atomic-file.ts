/**
 * Writes that a reader sees whole or not at all, also after a crash: write beside the target, fsync, rename, fsync the
 * folder that holds the name.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

async function syncPath(path: string, flags: 'r' | 'r+'): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the names in a folder durable. Windows offers no such call and orders renames itself. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform !== 'win32') await syncPath(path, 'r');
}

let counter = 0;

/** A name in the target's folder (rename works within one file system only), unique to this process and call. */
function temporaryName(target: string): string {
  return join(dirname(target), `.tmp-${basename(target)}-${process.pid}-${counter++}`);
}

/**
 * Replaces `path` by `data`, creating its folder when absent. Rejects with the system's error; then `path` is as before.
 *
 * @param durable false for what can be made again: a reader still sees it whole, but a power cut may lose it. Waiting for a
 *   busy disk takes 10 ms a file and more
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  { durable = true }: { readonly durable?: boolean } = {},
): Promise<void> {
  const target = resolve(path);
  await mkdir(dirname(target), { recursive: true });
  const temporary = temporaryName(target);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(data);
      if (durable) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (durable) await syncFolder(dirname(target));
}

/**
 * Creates the folder `path` from what `write` puts into the temporary folder it is given. Rejects when `path` exists
 * and is not empty, or with the error of `write`; then nothing is left behind.
 */
export async function writeDirectoryAtomic(path: string, write: (folder: string) => Promise<void>): Promise<void> {
  const target = resolve(path);
  const temporary = temporaryName(target);
  await mkdir(temporary, { recursive: true });
  try {
    await write(temporary);
    const entries = await readdir(temporary, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const child = join(entry.parentPath, entry.name);
      if (entry.isFile()) await syncPath(child, 'r+');
      else if (entry.isDirectory()) await syncFolder(child);
    }
    await syncFolder(temporary);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(dirname(target));
}
