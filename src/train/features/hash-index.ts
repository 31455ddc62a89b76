/**
 * Hashes of files that were read before, on disk: 256 files of lines `<file state> <content hash> <check>`.
 *
 * Lines are only ever appended, in one write each, so several processes may add at once; a line that was torn or mixed up
 * fails its check and is passed over.
 */
import { appendFile, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../base/hash.js';

const LINE = /^([0-9a-f]{64}) ([0-9a-f]{64}) ([0-9a-f]{8})$/;
const checkOf = (state: string, content: string) => sha256(`${state} ${content}`).slice(0, 8);

interface Shard {
  readonly contentOf: Map<string, string>;
  /** Bytes of the file that were taken in, up to the end of a line. */
  read: number;
}

export class HashIndex {
  private readonly shards = new Map<string, Shard>();

  constructor(private readonly dir: string) {}

  /** @param state 64 hexadecimal digits, as the result */
  async get(state: string): Promise<string | undefined> {
    const shard = this.shardOf(state);
    const known = shard.contentOf.get(state);
    if (known !== undefined) return known;
    // Another process may have added it since.
    await this.readOn(shard, this.pathOf(state));
    return shard.contentOf.get(state);
  }

  /** Known to this process at once, also where the folder cannot be written: then rejects with the system's error. */
  async add(state: string, content: string): Promise<void> {
    this.shardOf(state).contentOf.set(state, content);
    await mkdir(this.dir, { recursive: true });
    // It begins with a line break as well: the file may end in half a line of a process that was killed.
    await appendFile(this.pathOf(state), `\n${state} ${content} ${checkOf(state, content)}\n`);
  }

  private shardOf(state: string): Shard {
    const name = state.slice(0, 2);
    const shard = this.shards.get(name) ?? { contentOf: new Map(), read: 0 };
    this.shards.set(name, shard);
    return shard;
  }

  private async readOn(shard: Shard, path: string): Promise<void> {
    const from = shard.read;
    const text = await readFrom(path, from);
    const end = text.lastIndexOf('\n') + 1;
    for (const line of text.slice(0, end).split('\n')) {
      const [, state, content, check] = LINE.exec(line) ?? [];
      if (state === undefined || content === undefined || check !== checkOf(state, content)) continue;
      shard.contentOf.set(state, content);
    }
    // Two may read at once.
    shard.read = Math.max(shard.read, from + end);
  }

  private pathOf(state: string): string {
    return join(this.dir, state.slice(0, 2));
  }
}

/** As latin1, one character a byte: what was damaged must not shift positions. Empty where there is no file. */
async function readFrom(path: string, position: number): Promise<string> {
  const handle = await open(path, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.max(0, size - position));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, position);
    return bytes.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
