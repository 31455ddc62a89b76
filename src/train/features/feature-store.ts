/**
 * Features on disk, by key: `<dir>/<first two digits>/<key>.safetensors`.
 *
 * Any number of processes may read and write one folder. An entry appears under its name only when whole (rename), and is
 * checked whenever it is read, so nothing is fsynced: what a power cut damages is computed again. The file's time of change
 * is the time of its last use. A folder or disk that cannot be written ends the writing with one warning, not the run.
 */
import { type FileHandle, mkdir, open, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../../base/format.js';
import { log } from '../../base/logger.js';
import { CacheSpace, type Refusal, type SpaceOptions, TEMPORARY_PREFIX } from './cache-space.js';
import { decodeFeatures, encodeFeatures } from './feature-file.js';
import type { HostFeatures } from './host-features.js';

/** Tells backup programs to pass over the folder (https://bford.info/cachedir/). */
const CACHE_TAG = 'Signature: 8a477f597d28d172789f06886806bc55\n# Features that mimic can compute again.\n';

/** File times lag behind the clock by a tick, and a file server's clock by more. */
const CLOCK_SLACK_MS = 1000;

export interface StoreOptions extends Pick<SpaceOptions, 'now' | 'disk'> {
  readonly dir: string;
  readonly maxBytes: number;
}

export class FeatureStore {
  readonly dir: string;
  readonly maxBytes: number;
  private readonly startedMs: number;
  private readonly space: CacheSpace;
  /** Why nothing is written any more. */
  private stopped: string | undefined;
  private prepared: Promise<unknown> | undefined;
  private counter = 0;
  private isFull = false;
  /** Bytes that this process stored. */
  writtenBytes = 0;

  constructor({ dir, maxBytes, now, disk }: StoreOptions) {
    this.dir = dir;
    this.maxBytes = maxBytes;
    this.startedMs = (now ?? Date.now)() - CLOCK_SLACK_MS;
    this.space = new CacheSpace({ dir, maxBytes, startedMs: this.startedMs, now, disk });
  }

  /** Whether the next entry is likely to be stored. */
  get accepts(): boolean {
    return this.stopped === undefined && !this.isFull;
  }

  /** @returns null for an entry that is absent, cannot be read, or is damaged (it is removed then) */
  async get(key: string): Promise<HostFeatures | null> {
    const path = this.pathOf(key);
    let file: { bytes: Uint8Array<ArrayBuffer>; mtimeMs: number };
    try {
      file = await readWhole(path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') {
        log.warnOnce('unreadable features', `${path} cannot be read (${messageOf(error)}); computed again`);
      }
      return null;
    }
    try {
      const features = decodeFeatures(path, key, file.bytes);
      await this.touch(path, file.mtimeMs);
      return features;
    } catch (error) {
      log.warnOnce('damaged features', `${messageOf(error)} Removed and computed again`);
      await rm(path, { force: true }).catch(() => undefined);
      return null;
    }
  }

  /** Whether there is an entry, which counts as a use; it is not read. */
  async has(key: string): Promise<boolean> {
    const status = await stat(this.pathOf(key)).catch(() => undefined);
    if (status === undefined) return false;
    await this.touch(this.pathOf(key), status.mtimeMs);
    return true;
  }

  /** @returns whether it was stored; never rejects for what the disk does */
  async put(key: string, features: HostFeatures): Promise<boolean> {
    if (this.stopped !== undefined) return false;
    const path = this.pathOf(key);
    const pieces = encodeFeatures(path, key, features);
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    try {
      await this.prepare();
      const refusal = await this.space.reserve(bytes);
      this.isFull = refusal !== null;
      if (refusal !== null) {
        this.warnRefused(refusal);
        return false;
      }
      await this.write(path, pieces);
      this.writtenBytes += bytes;
      return true;
    } catch (error) {
      this.stop(error);
      return false;
    }
  }

  /** Ends writing, with a warning, because of a system error. */
  stop(error: unknown): void {
    if (this.stopped !== undefined) return;
    this.stopped = messageOf(error);
    log.warn(`feature cache ${this.dir} cannot be written (${this.stopped}): what it holds is used, nothing is added`);
  }

  /** Creates the folder; a failure is the caller's to handle. */
  prepare(): Promise<unknown> {
    this.prepared ??= this.createFolder();
    return this.prepared;
  }

  private async createFolder(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    log.info(`feature cache: ${this.dir}, up to ${formatBytes(this.maxBytes)}`);
    await writeFile(join(this.dir, 'CACHEDIR.TAG'), CACHE_TAG, { flag: 'wx' }).catch((error) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  }

  private async write(path: string, pieces: readonly Uint8Array[]): Promise<void> {
    const folder = join(path, '..');
    // Unique among hosts that share the folder.
    const temporary = join(
      folder,
      `${TEMPORARY_PREFIX}${hostname()}-${process.pid}-${this.startedMs}-${this.counter++}`,
    );
    await mkdir(folder, { recursive: true });
    try {
      const handle = await open(temporary, 'wx');
      try {
        for (const piece of pieces) await handle.writeFile(piece);
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Once a run is enough: age matters between runs only. A folder that is only readable has no ages. */
  private async touch(path: string, mtimeMs: number): Promise<void> {
    if (mtimeMs >= this.startedMs) return;
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
  }

  private warnRefused(refusal: Refusal): void {
    const why =
      refusal === 'cap'
        ? `${formatBytes(this.maxBytes)} (train.featureCache.maxGiB) are full of features that this run uses`
        : 'the disk is nearly full';
    log.warnOnce('features not stored', `feature cache ${this.dir}: ${why}; others are computed at each visit`);
  }

  private pathOf(key: string): string {
    return join(this.dir, key.slice(0, 2), `${key}.safetensors`);
  }
}

async function readWhole(path: string): Promise<{ bytes: Uint8Array<ArrayBuffer>; mtimeMs: number }> {
  const handle = await open(path, 'r');
  try {
    const { size, mtimeMs } = await handle.stat();
    return { bytes: await readAll(handle, size), mtimeMs };
  } finally {
    await handle.close();
  }
}

/** Into a buffer of its own, whose start fits every type; shorter when the file is. */
async function readAll(handle: FileHandle, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(size - done, 2 ** 30), done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
