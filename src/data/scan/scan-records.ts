import { DataError } from '../../base/errors.js';
import type { VideoRecord } from '../record.js';
import { recordInput } from '../record-input.js';
import { type VideoInput, videoKey } from '../video/open-video.js';
import { Pool } from '../video/pool.js';
import { type ScanJournal, stampOf } from './journal.js';
import type { ScanEntry } from './scan-entry.js';
import { type ScanResult, scanInput } from './scan-input.js';

export interface ScanOptions {
  /** Videos decoded at once. */
  readonly jobs: number;
  readonly journal?: ScanJournal | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: ScanProgress) => void;
}

export interface ScanProgress {
  readonly done: number;
  readonly total: number;
  /** Of `done`, those that an earlier scan had done. */
  readonly known: number;
  /** Quarantined so far. */
  readonly bad: number;
}

interface Job {
  readonly input: VideoInput;
  readonly records: readonly VideoRecord[];
}

/**
 * Scans every video of a manifest once, however many records it has; text alone is passed over.
 *
 * @param root folder that the records' paths are relative to
 * @returns in the order of the records; fewer when `signal` ended it
 * @throws BackendError E_FFMPEG_* and others that are no file's fault
 */
export async function scanRecords(
  records: readonly VideoRecord[],
  root: string,
  { jobs, journal, signal, onProgress }: ScanOptions,
): Promise<ScanEntry[]> {
  const all = groupByFile(records, root);
  const pool = new Pool(jobs);
  const results = new Map<string, ScanResult>();
  const counts = { known: 0, bad: 0 };
  const report = () => onProgress?.({ done: results.size, total: all.length, ...counts });
  const waiting = all.values();
  let failure: unknown;
  const work = async () => {
    for (const { input } of waiting) {
      if (signal?.aborted || failure !== undefined) return;
      const earlier = await journal?.find(input);
      const result = earlier ?? (await scanOne(input));
      if (result === undefined) return;
      results.set(videoKey(input), result);
      if (earlier !== undefined) counts.known++;
      if (result.status === 'quarantined') counts.bad++;
      report();
    }
  };
  report();
  await Promise.all(Array.from({ length: jobs }, work));
  if (failure !== undefined) throw failure;
  const entries = new Map<string, ScanEntry>();
  for (const { input, records: own } of all) {
    const result = results.get(videoKey(input));
    if (result !== undefined) for (const record of own) entries.set(record.id, entryOf(record, result));
  }
  return records.flatMap(({ id }) => entries.get(id) ?? []);

  /** Undefined when it was given up. */
  async function scanOne(input: VideoInput): Promise<ScanResult | undefined> {
    const stamp = await stampOf(input);
    try {
      const result = await scanInput(input, pool, signal);
      journal?.add(input, stamp, result);
      return result;
    } catch (error) {
      const isAbort = signal?.aborted === true || (error instanceof DataError && error.code === 'E_VIDEO_ABORTED');
      if (!isAbort) failure ??= error;
      return undefined;
    }
  }
}

function groupByFile(records: readonly VideoRecord[], root: string): Job[] {
  const jobs = new Map<string, { input: VideoInput; records: VideoRecord[] }>();
  for (const record of records) {
    const input = recordInput(root, record);
    if (input === null) continue;
    const key = videoKey(input);
    const job = jobs.get(key);
    if (job === undefined) jobs.set(key, { input, records: [record] });
    else job.records.push(record);
  }
  return [...jobs.values()];
}

function entryOf({ id, video_path, frames, images }: VideoRecord, result: ScanResult): ScanEntry {
  const { status, ...rest } = result;
  return { id, path: video_path ?? frames?.[0] ?? images?.[0] ?? '', status, ...rest };
}
