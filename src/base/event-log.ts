import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Appends one JSON object a line: `{"time": ..., "event": "step", ...}`. Each line is one write call, so a killed run
 * leaves at most its last line incomplete; opening the file again ends such a line first.
 */
export class EventLog {
  private readonly file: number;

  /** @param path created with its folder when absent, else appended to. */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.file = openSync(path, 'a+');
    const { size } = fstatSync(this.file);
    const last = Buffer.alloc(1);
    if (size > 0 && readSync(this.file, last, 0, 1, size - 1) === 1 && last.toString() !== '\n')
      writeSync(this.file, '\n');
  }

  write(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    writeSync(this.file, `${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
  }

  close(): void {
    closeSync(this.file);
  }
}
