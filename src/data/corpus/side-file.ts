/**
 * The index of a file of records, kept so that the next start need not read and check every record again.
 *
 * It is found by the SHA-256 of the records, so it is never stale; a checksum of its own finds out a damaged one, which is as
 * good as none; and it appears whole or not at all, so that several processes may write it at once.
 */
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../backend/host/compile.js';
import { writeFileAtomic } from '../../base/atomic-file.js';
import { sha256 } from '../../base/hash.js';
import { log } from '../../base/logger.js';
import type { CheckedRecords } from './open-corpus.js';
import { packTables, unpackTables } from './pack-tables.js';

/** Goes up whenever the tables, or what they are made from, change. */
const FORMAT = 1;
/** What words are depends on Node's Unicode tables, and how numbers are stored on the processor. */
const KIND = `mimic-index ${FORMAT} unicode ${process.versions['unicode']} ${new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 'little' : 'big'}`;
/** Indexes kept, the last used; one is a third of its records' size. */
const KEPT_INDEXES = 16;
const DIGEST_BYTES = 32;
const SUFFIX = '.index';

export const indexFolder = () => cacheFolder('records');

const pathOf = (folder: string, recordsSha256: string) =>
  join(folder, `${sha256(`${KIND} ${recordsSha256}`).slice(0, DIGEST_BYTES)}${SUFFIX}`);

/** Undefined when there is none that is whole. */
export async function readSideFile(folder: string, recordsSha256: string): Promise<CheckedRecords | undefined> {
  const path = pathOf(folder, recordsSha256);
  try {
    const file = await readFile(path);
    const body = file.subarray(DIGEST_BYTES);
    if (sha256(body) !== file.toString('hex', 0, DIGEST_BYTES)) {
      log.warn(`${path} is damaged and will be made again`);
      return undefined;
    }
    const now = new Date();
    // For the choice of those to keep; a folder that cannot be written to chooses none.
    await utimes(path, now, now).catch(() => undefined);
    return unpackTables(body);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') log.warn(`${path} cannot be used: ${message}`);
    return undefined;
  }
}

/** A run does not end for it: without it the next start is slower. */
export async function writeSideFile(folder: string, recordsSha256: string, checked: CheckedRecords): Promise<void> {
  const path = pathOf(folder, recordsSha256);
  try {
    const body = packTables(checked);
    await writeFileAtomic(path, Buffer.concat([Buffer.from(sha256(body), 'hex'), body]), { durable: false });
    await removeOldest(folder);
  } catch (error) {
    log.warn(`${path} was not written, so the next start will read all records again: ${(error as Error).message}`);
  }
}

async function removeOldest(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
  const used = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      // Another process may have removed it.
      return {
        path,
        at: await stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      };
    }),
  );
  used.sort((a, b) => b.at - a.at);
  for (const { path } of used.slice(KEPT_INDEXES)) await rm(path, { force: true });
}
