/**
 * The size of a cache folder that several processes fill at once, kept below a cap.
 *
 * No process knows what the others write, so each looks through the folder, takes an allowance of what room is left, and
 * looks again when that is used up. Entries last used before this process began go, oldest first. Its own working set never
 * does: it comes around every epoch, and evicting by age would then drop each entry just before its turn. A run whose
 * features do not fit keeps a part of them and computes the rest again.
 */
import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Left by a process that was killed, once no process can still be writing it. */
const STALE_TEMPORARY_MS = 3_600_000;
/** How long a full cache is taken to stay full. */
const FULL_MS = 600_000;
/** An allowance is this share of the room that is left, and at least that of the cap. */
const ALLOWANCE_OF_ROOM = 1 / 8;
const ALLOWANCE_OF_CAP = 1 / 256;
/** Evicting goes on to this share of the cap, so that it is not due again at once. */
const EVICT_TO = 0.95;
/** Of the disk, never filled: checkpoints and logs need it. */
const RESERVE_SHARE = 0.05;
const RESERVE_MOST_BYTES = 5 * 2 ** 30;

export const TEMPORARY_PREFIX = '.tmp-';

export interface Disk {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface SpaceOptions {
  readonly dir: string;
  readonly maxBytes: number;
  /** Entries used at this time or later are this process's own. */
  readonly startedMs: number;
  readonly now?: (() => number) | undefined;
  readonly disk?: ((dir: string) => Promise<Disk>) | undefined;
}

/** Why an entry cannot be stored. */
export type Refusal = 'cap' | 'disk';

interface Entry {
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
}

export class CacheSpace {
  private allowance = 0;
  private refused: { reason: Refusal; untilMs: number } | undefined;
  /** One at a time: two scans would hand out the same room twice. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: SpaceOptions) {}

  /** Makes room for an entry. @returns null, or why there is none; rejects with the system's error */
  reserve(bytes: number): Promise<Refusal | null> {
    const result = this.last.then(() => this.take(bytes));
    this.last = result.catch(() => undefined);
    return result;
  }

  private async take(bytes: number): Promise<Refusal | null> {
    const now = (this.options.now ?? Date.now)();
    if (this.refused !== undefined && now < this.refused.untilMs) return this.refused.reason;
    this.refused = undefined;
    const reason = (await this.isDiskFull(bytes)) ? 'disk' : (await this.hasRoom(bytes, now)) ? null : 'cap';
    if (reason !== null) this.refused = { reason, untilMs: now + FULL_MS };
    return reason;
  }

  private async isDiskFull(bytes: number): Promise<boolean> {
    const { freeBytes, totalBytes } = await (this.options.disk ?? diskOf)(this.options.dir);
    // Some network file systems give no figures.
    if (totalBytes === 0) return false;
    return freeBytes - bytes < Math.min(RESERVE_MOST_BYTES, RESERVE_SHARE * totalBytes);
  }

  private async hasRoom(bytes: number, now: number): Promise<boolean> {
    const { maxBytes } = this.options;
    if (this.allowance < bytes) {
      const room = maxBytes - (await this.shrink(bytes, now));
      if (room < bytes) return false;
      this.allowance = Math.min(room, Math.max(bytes, room * ALLOWANCE_OF_ROOM, maxBytes * ALLOWANCE_OF_CAP));
    }
    this.allowance -= bytes;
    return true;
  }

  /** Evicts when `bytes` more would exceed the cap. @returns bytes that are left in the folder */
  private async shrink(bytes: number, now: number): Promise<number> {
    const { dir, maxBytes, startedMs } = this.options;
    const entries: Entry[] = [];
    for (const entry of await listEntries(dir)) {
      const isStale = isTemporary(entry) && entry.usedMs < now - STALE_TEMPORARY_MS;
      if (!isStale || !(await removed(entry.path))) entries.push(entry);
    }
    let total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    if (total + bytes <= maxBytes) return total;
    const old = entries.filter((entry) => entry.usedMs < startedMs && !isTemporary(entry));
    for (const entry of old.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total + bytes <= EVICT_TO * maxBytes) break;
      // Another process may evict the same entry; one that reads it has it open and reads on.
      if (await removed(entry.path)) total -= entry.bytes;
    }
    return total;
  }
}

async function diskOf(dir: string): Promise<Disk> {
  const { bsize, bavail, blocks } = await statfs(dir);
  return { freeBytes: bsize * bavail, totalBytes: bsize * blocks };
}

const isTemporary = ({ path }: Entry) => basename(path).startsWith(TEMPORARY_PREFIX);

/** False where the folder's owner does not let us. */
const removed = (path: string): Promise<boolean> =>
  rm(path, { force: true }).then(
    () => true,
    () => false,
  );

/** Files in the two-digit folders; those that vanish meanwhile are left out. */
async function listEntries(dir: string): Promise<Entry[]> {
  const folders = (await readdir(dir)).filter((name) => /^[0-9a-f]{2}$/.test(name));
  const entries: Entry[] = [];
  for (const folder of folders) {
    const names = await readdir(join(dir, folder)).catch(() => []);
    const stats = await Promise.all(
      names.map(async (name) => {
        const path = join(dir, folder, name);
        const status = await stat(path).catch(() => undefined);
        return status === undefined ? [] : [{ path, bytes: status.size, usedMs: status.mtimeMs }];
      }),
    );
    entries.push(...stats.flat());
  }
  return entries;
}
