/** What a scan has done so far, so that one that was stopped goes on: JSON Lines, one write a line. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { z } from 'zod';
import { filesOf, type VideoInput, videoKey } from '../video/open-video.js';
import { ScanEntry } from './scan-entry.js';
import type { ScanResult } from './scan-input.js';

const Line = z.strictObject({
  key: z.string(),
  /** Sizes and times of change of the files: one that changed since is scanned again. */
  stamp: z.string(),
  result: ScanEntry.omit({ id: true, path: true }),
});

export class ScanJournal {
  private readonly known = new Map<string, z.output<typeof Line>>();
  private readonly file: number;

  /** @param path created when absent, else gone on with */
  constructor(private readonly path: string) {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    for (const line of text.split('\n')) {
      const entry = parseLine(line);
      if (entry !== undefined) this.known.set(entry.key, entry);
    }
    this.file = openSync(path, 'a');
    // A kill may have cut the last line short.
    if (text !== '' && !text.endsWith('\n')) writeSync(this.file, '\n');
  }

  /** What is known of files that are as they were. */
  async find(input: VideoInput): Promise<ScanResult | undefined> {
    const entry = this.known.get(videoKey(input));
    return entry !== undefined && entry.stamp === (await stampOf(input)) ? entry.result : undefined;
  }

  /** @param stamp taken before the files were read */
  add(input: VideoInput, stamp: string, result: ScanResult): void {
    writeSync(this.file, `${JSON.stringify({ key: videoKey(input), stamp, result })}\n`);
  }

  close(): void {
    closeSync(this.file);
  }

  /** Once the report is written. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

export async function stampOf(input: VideoInput): Promise<string> {
  const stamps = filesOf(input).map(async (path) => {
    try {
      const { size, mtimeMs } = await stat(path);
      return `${size}@${mtimeMs}`;
    } catch {
      return 'absent';
    }
  });
  return (await Promise.all(stamps)).join(' ');
}

/** Undefined for a line that is not whole. */
function parseLine(line: string): z.output<typeof Line> | undefined {
  try {
    return Line.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
