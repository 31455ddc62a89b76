/** Lists of bad videos as JSON Lines: reports of `mimic data scan`, and the quarantine.jsonl that every run keeps. */
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../base/atomic-file.js';
import { log } from '../../base/logger.js';
import { readJsonl } from '../../data/jsonl.js';
import type { RecordList } from '../../data/record-list.js';
import { type BadVideo, recordPath } from './bad-video.js';

export const QUARANTINE_NAME = 'quarantine.jsonl';

/** Lines of a scan's report have more, and also videos that are well. */
const ListedSchema = z.looseObject({
  id: z.string(),
  path: z.string(),
  status: z.enum(['ok', 'repaired', 'quarantined']).default('quarantined'),
  code: z.string().default('E_VIDEO_DAMAGED'),
});

/**
 * The listed videos that `records` has: by id, and with the path the list has, since a record that was given another file
 * is another video.
 *
 * @throws DataError E_JSONL_* when the file is no such list
 */
export async function readQuarantine(file: string, records: RecordList): Promise<BadVideo[]> {
  const listed = await readJsonl(file, ListedSchema, { warn: (message) => log.debug(message) });
  const paths = new Map<string, string>();
  for (let i = 0; i < records.length; i++) {
    const record = records.at(i);
    if (record !== undefined) paths.set(record.id, recordPath(record));
  }
  return listed
    .filter(({ id, path, status }) => status === 'quarantined' && paths.get(id) === path)
    .map(({ id, path, code }) => ({ id, path, code, step: null }));
}

/** Writes the lists of a run beside its checkpoints, for a person and for later runs; nothing when they are empty. */
export async function noteBadVideos(
  dir: string,
  { train, validation }: { readonly train: Listed; readonly validation: Listed },
): Promise<void> {
  const videos = [...train.list, ...validation.list];
  if (videos.length === 0) return;
  const lines = videos.map((video) => `${JSON.stringify({ ...video, status: 'quarantined' })}\n`);
  try {
    await writeFileAtomic(join(dir, QUARANTINE_NAME), lines.join(''));
  } catch (error) {
    // The checkpoint has the list too; a run does not end for this copy.
    log.warn(`${join(dir, QUARANTINE_NAME)} was not written: ${(error as Error).message}`);
  }
}

interface Listed {
  readonly list: readonly BadVideo[];
}
