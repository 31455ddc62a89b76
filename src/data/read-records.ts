import { dirname } from 'node:path';
import { DataError } from '../base/errors.js';
import { readJsonl } from './jsonl.js';
import { plainRecord } from './plain-record.js';
import { VideoRecord } from './record.js';

/**
 * Records of a JSONL file and the folder their `video_path`s are relative to.
 *
 * @param root default: the file's own folder
 * @throws DataError for an invalid line, a repeated id, or a file without records
 */
export async function readRecords(
  path: string,
  root = dirname(path),
): Promise<{ records: VideoRecord[]; root: string }> {
  const records = await readJsonl(path, VideoRecord, { uniqueKey: 'id', plain: plainRecord });
  if (records.length === 0) throw noRecords(path);
  return { records, root };
}

export function noRecords(path: string): DataError {
  return new DataError('E_RECORDS_EMPTY', `${path}: no records.`, {
    hint: 'One JSON object a line; see docs/data-format.md.',
  });
}
