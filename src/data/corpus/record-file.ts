import { closeSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { DataError } from '../../base/errors.js';
import { plainRecord } from '../plain-record.js';
import { VideoRecord } from '../record.js';
import type { RecordList } from '../record-list.js';
import { BoundedMap } from '../tasks/tables/bounded-map.js';

/** Records kept; a step asks for the same ones several times. */
const KEPT_RECORDS = 1024;

/** Where the lines of a checked file are, and what is in them. */
export interface RecordLines {
  readonly offsets: Float64Array;
  readonly bytes: Int32Array;
  /** CRC-32 of each line. */
  readonly sums: Uint32Array;
}

/** Records that stay in their file, and are read when they are asked for. */
export class RecordFile implements RecordList {
  readonly length: number;
  private readonly kept = new BoundedMap<number, VideoRecord>(KEPT_RECORDS);
  private isClosed = false;
  private buffer = Buffer.allocUnsafe(1 << 16);

  /** @param fd open file, which is closed by `close`: replacing the file under its name changes nothing here */
  constructor(
    private readonly path: string,
    private readonly fd: number,
    private readonly lines: RecordLines,
  ) {
    this.length = lines.offsets.length;
  }

  /** @throws DataError E_RECORDS_CHANGED when the file was written to since it was opened */
  at(index: number): VideoRecord | undefined {
    return index >= 0 && index < this.length ? this.kept.take(index, () => this.read(index)) : undefined;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    closeSync(this.fd);
  }

  private read(index: number): VideoRecord {
    const { offsets, bytes, sums } = this.lines;
    const length = bytes[index] ?? 0;
    if (length > this.buffer.length) this.buffer = Buffer.allocUnsafe(2 * length);
    const read = readSync(this.fd, this.buffer, 0, length, offsets[index] ?? 0);
    const line = this.buffer.subarray(0, length);
    if (read !== length || crc32(line) !== sums[index]) {
      throw new DataError('E_RECORDS_CHANGED', `${this.path}: record ${index + 1} is not what it was at the start.`, {
        hint: 'Start again; write a new file beside the old one and rename it, and a run that uses the old one goes on.',
      });
    }
    const value: unknown = JSON.parse(line.toString());
    // The same line passed the schema when the file was opened.
    return plainRecord(value as Record<string, unknown>) ?? VideoRecord.parse(value);
  }
}
