/** SHA-256 of what a video's files hold, without reading files again that have not changed since they were hashed. */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { sha256, sha256File } from '../../base/hash.js';
import { filesOf, isPictures, type VideoInput } from '../../data/video/open-video.js';
import type { HashIndex } from './hash-index.js';

export interface Content {
  readonly sha256: string;
  /** Of the files as they were before they were read: path, size, times and inode of each. */
  readonly state: string;
}

export class ContentHashes {
  /** Videos whose bytes were read. */
  read = 0;

  /** @param onWriteError of the index; hashes go on without it */
  constructor(
    private readonly index: HashIndex,
    private readonly onWriteError: (error: unknown) => void,
  ) {}

  /** @returns null when a file is absent or no regular file: who opens it next says so */
  async of(input: VideoInput): Promise<Content | null> {
    const state = await stateOf(input);
    if (state === null) return null;
    const known = await this.index.get(state);
    if (known !== undefined) return { sha256: known, state };
    const content = await hashOf(input).catch(() => null);
    if (content === null) return null;
    this.read++;
    // Remembered only if nothing was written meanwhile.
    if ((await stateOf(input)) === state) await this.index.add(state, content).catch(this.onWriteError);
    return { sha256: content, state };
  }

  /** Whether the files are still as they were when they were hashed. */
  async isUnchanged(input: VideoInput, { state }: Content): Promise<boolean> {
    return (await stateOf(input)) === state;
  }
}

const timesOf = (input: VideoInput) => (typeof input === 'string' || isPictures(input) ? null : input.frameTimesSec);

/**
 * The time of the last change of the inode too: it changes when a file is overwritten and its time of modification set back.
 */
async function stateOf(input: VideoInput): Promise<string | null> {
  const stats = await Promise.all(
    filesOf(input).map((path) => stat(path, { bigint: true }).catch((): BigIntStats | null => null)),
  );
  const lines: string[][] = [];
  for (const [i, path] of filesOf(input).entries()) {
    const status = stats[i];
    // Reading a named pipe would wait for its writer.
    if (!status?.isFile()) return null;
    lines.push([resolve(path), ...[status.size, status.mtimeNs, status.ctimeNs, status.ino].map(String)]);
  }
  return sha256(JSON.stringify([lines, timesOf(input)]));
}

async function hashOf(input: VideoInput): Promise<string> {
  if (typeof input === 'string') return sha256File(input);
  const files: string[] = [];
  for (const path of filesOf(input)) files.push(await sha256File(path));
  return sha256(JSON.stringify([files, timesOf(input)]));
}
