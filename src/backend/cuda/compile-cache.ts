/**
 * Compiled kernels on disk, under a hash of everything they depend on. Kernels are compiled inside `launch`, so these
 * calls are synchronous; several processes may write the same entry, and the last rename wins with equal bytes.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../../base/hash.js';

let counter = 0;

export function compileCacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mimic-chat', 'cuda');
}

function pathOf(identity: unknown): string {
  return join(compileCacheFolder(), `${sha256(JSON.stringify(identity)).slice(0, 32)}.bin`);
}

function readEntry(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined; // not compiled before, or a cache closed to us: compiling is always right
  }
}

function writeEntry(path: string, image: Uint8Array): void {
  const temporary = `${path}.${process.pid}-${counter++}`;
  try {
    mkdirSync(compileCacheFolder(), { recursive: true });
    const file = openSync(temporary, 'wx');
    try {
      writeSync(file, image);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true }); // a full or read-only disk costs a compilation next time, no more
  }
}

/** What the cache holds for that identity. */
export function readCached(identity: unknown): Uint8Array | undefined {
  return readEntry(pathOf(identity));
}

export function writeCached(identity: unknown, data: Uint8Array): void {
  writeEntry(pathOf(identity), data);
}

/** Forgets an entry that turned out to be damaged. */
export function dropCached(identity: unknown): void {
  rmSync(pathOf(identity), { force: true });
}
