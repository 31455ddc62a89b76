/** Opens the records that a run trains on: checked, indexed for drawing, and quickly the second time. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { JsonlCheck, unreadable } from '../jsonl.js';
import { plainRecord } from '../plain-record.js';
import { noRecords } from '../read-records.js';
import { VideoRecord } from '../record.js';
import { type RecordList, textLengthOf } from '../record-list.js';
import { CorpusIndex } from '../tasks/corpus-index.js';
import { CorpusTableBuilder, type CorpusTables } from '../tasks/tables/corpus-tables.js';
import { NumberList } from '../tasks/tables/number-list.js';
import { readLines } from './line-reader.js';
import { RecordFile, type RecordLines } from './record-file.js';
import { indexFolder, readSideFile, writeSideFile } from './side-file.js';

/** Smaller files are read in less than a fifth of a second, and their records are kept. */
const MIN_INDEXED_BYTES = 4 << 20;
const CHUNK_BYTES = 4 << 20;

export interface Corpus {
  readonly records: RecordList;
  /** The folder that `video_path`s are relative to. */
  readonly root: string;
  readonly index: CorpusIndex;
  /** `textLengthOf` each record. */
  readonly textLengths: Int32Array;
  /** SHA-256 of all ids, one a line. */
  readonly idsSha256: string;
  /** Whether the index came from a file that an earlier start wrote. */
  readonly isFromFile: boolean;
  close(): void;
}

/** All that is known of a file of records once it was read. */
export interface CheckedRecords {
  readonly lines: RecordLines;
  readonly textLengths: Int32Array;
  readonly idsSha256: string;
  /** What the reader is told about the file, after its name: unknown keys. */
  readonly warnings: readonly string[];
  readonly tables: CorpusTables;
}

export interface OpenCorpusOptions {
  /** Default: the file's own folder. */
  readonly root?: string | undefined;
  /** Where indexes are kept. */
  readonly folder?: string;
  readonly minIndexedBytes?: number;
  /** Receives each warning once; default: standard error. */
  readonly warn?: (message: string) => void;
}

/**
 * Reads and checks a JSONL file of records and indexes their texts. A file that was read before has its index on disk, found
 * by the file's SHA-256; its records are then read one by one, when they are drawn.
 *
 * @throws DataError for an invalid line, a repeated id, or a file without records
 */
export async function openCorpus(path: string, options: OpenCorpusOptions = {}): Promise<Corpus> {
  const { root = dirname(path), folder = indexFolder(), minIndexedBytes = MIN_INDEXED_BYTES } = options;
  const { warn = (message: string) => process.stderr.write(`${message}\n`) } = options;
  const fd = openFile(path);
  try {
    if (fstatSync(fd).size < minIndexedBytes) {
      const kept: VideoRecord[] = [];
      const { checked } = readAndCheck(path, fd, warn, (record) => kept.push(record));
      closeSync(fd);
      return corpusOf(kept, root, checked, false, () => undefined);
    }
    const known = await readSideFile(folder, hashOf(path, fd));
    const { sha256, checked } = known === undefined ? readAndCheck(path, fd, warn) : { sha256: '', checked: known };
    for (const warning of known?.warnings ?? []) warn(`${path}${warning}`);
    if (known === undefined) await writeSideFile(folder, sha256, checked);
    const records = new RecordFile(path, fd, checked.lines);
    return corpusOf(records, root, checked, known !== undefined, () => records.close());
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function corpusOf(
  records: RecordList,
  root: string,
  { textLengths, idsSha256, tables }: CheckedRecords,
  isFromFile: boolean,
  close: () => void,
): Corpus {
  return { records, root, textLengths, idsSha256, isFromFile, index: new CorpusIndex(records, tables), close };
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function hashOf(path: string, fd: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ; ) {
    const read = readInto(path, fd, buffer, at);
    if (read === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, read));
    at += read;
  }
}

function readInto(path: string, fd: number, buffer: Buffer, at: number): number {
  try {
    return readSync(fd, buffer, 0, buffer.length, at);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** @returns what the file has, and the SHA-256 of the bytes that were read */
function readAndCheck(
  path: string,
  fd: number,
  warn: (message: string) => void,
  onRecord: (record: VideoRecord) => void = () => undefined,
): { sha256: string; checked: CheckedRecords } {
  const warnings: string[] = [];
  const noteAndWarn = (message: string) => {
    warnings.push(message.slice(path.length));
    warn(message);
  };
  const check = new JsonlCheck(path, VideoRecord, { uniqueKey: 'id', plain: plainRecord, warn: noteAndWarn });
  const builder = new CorpusTableBuilder();
  const [fileHash, idHash] = [createHash('sha256'), createHash('sha256')];
  const offsets: number[] = [];
  const [bytes, sums, textLengths] = [new NumberList(), new NumberList(), new NumberList()];
  let number = 0;
  for (const { buffer, start, end, offset } of linesOf(path, fd, (chunk) => fileHash.update(chunk))) {
    const record = check.row(buffer.toString('utf8', start, end), ++number);
    if (record === undefined) continue;
    idHash.update(offsets.length === 0 ? record.id : `\n${record.id}`);
    offsets.push(offset);
    bytes.push(end - start);
    sums.push(crc32(buffer.subarray(start, end)));
    textLengths.push(textLengthOf(record));
    builder.add(record);
    onRecord(record);
  }
  check.finish();
  if (offsets.length === 0) throw noRecords(path);
  const lines = {
    offsets: Float64Array.from(offsets),
    bytes: bytes.toArray(),
    sums: new Uint32Array(sums.toArray().buffer),
  };
  const rest = {
    textLengths: textLengths.toArray(),
    idsSha256: idHash.digest('hex'),
    warnings,
    tables: builder.finish(),
  };
  return { sha256: fileHash.digest('hex'), checked: { lines, ...rest } };
}

function* linesOf(...[path, fd, onChunk]: [string, ...Parameters<typeof readLines>]): ReturnType<typeof readLines> {
  const lines = readLines(fd, onChunk);
  for (;;) {
    let next: ReturnType<typeof lines.next>;
    try {
      next = lines.next();
    } catch (cause) {
      throw unreadable(path, cause);
    }
    if (next.done === true) return;
    yield next.value;
  }
}
