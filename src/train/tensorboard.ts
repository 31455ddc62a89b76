import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../base/errors.js';
import { crc32c } from './tensorboard/crc32c.js';
import { type Event, encodeEvent } from './tensorboard/event.js';

export interface TensorBoardOptions {
  /** A resumed run's first step: TensorBoard then drops what an earlier file of the folder has from there on. */
  readonly resumeStep?: number;
  /** Wall clock in seconds; tests give their own. */
  readonly nowSec?: () => number;
}

let filesOpened = 0;

/**
 * Writes scalars for TensorBoard: one event file a process, which TensorBoard merges with the folder's others.
 *
 * Records are written whole, so a reader and a killed run lose nothing but those being written.
 */
export class TensorBoardWriter {
  readonly path: string;
  private readonly file: number;
  private readonly nowSec: () => number;

  /** @param dir folder of the run, created when absent; rejects with the system's error */
  constructor(dir: string, { resumeStep, nowSec = () => Date.now() / 1000 }: TensorBoardOptions = {}) {
    this.nowSec = nowSec;
    mkdirSync(dir, { recursive: true });
    const seconds = String(Math.floor(nowSec())).padStart(10, '0');
    this.path = join(dir, `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${filesOpened++}`);
    this.file = openSync(this.path, 'ax');
    this.append({ kind: 'file-version' });
    if (resumeStep !== undefined) this.append({ kind: 'session-start', step: resumeStep });
  }

  /** @param step a count from 0; @throws ConfigError for anything else */
  scalar(tag: string, value: number, step: number): void {
    this.scalars({ [tag]: value }, step);
  }

  /** Several values of a step, by tag, in one write. */
  scalars(values: Readonly<Record<string, number>>, step: number): void {
    if (!Number.isSafeInteger(step) || step < 0) {
      const tags = Object.keys(values).join(', ');
      throw new ConfigError('E_TENSORBOARD_STEP', `TensorBoard: step of ${tags} is ${step}, expected a count from 0.`);
    }
    this.append(...Object.entries(values).map(([tag, value]): Event => ({ kind: 'scalar', step, tag, value })));
  }

  /** Waits until the disk has everything written so far. */
  flush(): void {
    fsyncSync(this.file);
  }

  close(): void {
    this.flush();
    closeSync(this.file);
  }

  private append(...events: Event[]): void {
    const now = this.nowSec();
    writeSync(this.file, Buffer.concat(events.map((event) => frame(encodeEvent(event, now)))));
  }
}

/** A record: length, its checksum, the bytes, their checksum. @source tensorboard/summary/writer/record_writer.py */
function frame(bytes: Buffer): Buffer {
  const record = Buffer.alloc(bytes.length + 16);
  record.writeBigUInt64LE(BigInt(bytes.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  bytes.copy(record, 12);
  record.writeUInt32LE(maskedCrc(bytes), 12 + bytes.length);
  return record;
}

/** Checksums of data that itself holds checksums are weak, so the format rotates and shifts them. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
