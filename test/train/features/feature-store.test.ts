import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { log } from '../../../src/base/logger.js';
import { FeatureStore, type StoreOptions } from '../../../src/train/features/feature-store.js';
import { interceptFs } from '../checkpoint/intercept-fs.js';
import { temporaryFolder } from '../temporary-folder.js';
import { featuresOf, keyOf } from './features-of.js';

const folder = temporaryFolder();
let warnings: MockInstance;
let restore: () => void = () => undefined;
beforeEach(() => {
  log.level = 'warn';
  warnings = vi.spyOn(log, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  restore();
  log.summarizeWarnings();
  warnings.mockRestore();
  log.level = 'info';
});

let folders = 0;
const storeAt = (options: Partial<StoreOptions> = {}) =>
  new FeatureStore({ dir: join(folder, String(folders++)), maxBytes: 1e9, ...options });
const pathOf = (dir: string, key: string) => join(dir, key.slice(0, 2), `${key}.safetensors`);
/** Makes an entry look used so long ago. */
const age = (dir: string, key: string, seconds: number) => {
  const time = Date.now() / 1000 - seconds;
  utimesSync(pathOf(dir, key), time, time);
};
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(keyOf) as [string, string, string, string];
const names = (dir: string) =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.tmp-'));

describe('the feature store', () => {
  it('gives back what was put, to another process too, and null for the rest', async () => {
    const store = storeAt();
    expect(await store.get(a)).toBeNull();
    expect(await store.put(a, featuresOf(1))).toBe(true);
    const other = new FeatureStore(store);
    expect(await other.get(a)).toEqual(featuresOf(1));
    expect([await other.has(a), await other.has(b)]).toEqual([true, false]);
    expect(readFileSync(join(store.dir, 'CACHEDIR.TAG'), 'utf8')).toMatch(
      /^Signature: 8a477f597d28d172789f06886806bc55/,
    );
    expect(names(store.dir)).toEqual([]);
  });

  it('removes damaged entries, with one warning, and takes them anew', async () => {
    const store = storeAt();
    for (const key of [a, b]) {
      await store.put(key, featuresOf(1));
      const bytes = readFileSync(pathOf(store.dir, key));
      bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
      writeFileSync(pathOf(store.dir, key), bytes);
      expect(await store.get(key)).toBeNull();
      expect(existsSync(pathOf(store.dir, key))).toBe(false);
    }
    expect(warnings.mock.calls.map(String)).toEqual([expect.stringContaining('its checksum is another. Removed')]);
    await store.put(a, featuresOf(1));
    expect(await store.get(a)).toEqual(featuresOf(1));
  });

  it("does not take another video's entry that came under its name", async () => {
    const store = storeAt();
    await store.put(a, featuresOf(1));
    mkdirSync(join(store.dir, b.slice(0, 2)), { recursive: true });
    renameSync(pathOf(store.dir, a), pathOf(store.dir, b));
    expect(await store.get(b)).toBeNull();
  });

  it.each(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EIO'])(
    'goes on without storing after %s, with one warning',
    async (code) => {
      const store = storeAt();
      await store.put(a, featuresOf(1));
      const fails = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EIO' ? 'half-written' : 'open';
      restore = await interceptFs((operation, path) => {
        const isWrite = operation === 'half-written' || path.includes('.tmp-');
        if (operation === fails && isWrite) throw Object.assign(new Error(`${code}: injected`), { code });
      });
      expect(await store.put(b, featuresOf(2))).toBe(false);
      expect(await store.put(c, featuresOf(3))).toBe(false);
      expect(store.accepts).toBe(false);
      expect(names(store.dir)).toEqual([]);
      expect(warnings.mock.calls.map(String)).toEqual([
        expect.stringContaining(`cannot be written (${code}: injected)`),
      ]);
      // What it holds is used.
      expect(await store.get(a)).toEqual(featuresOf(1));
      expect(await store.get(b)).toBeNull();
    },
  );

  it('reads from a folder that it cannot write', async () => {
    const store = storeAt();
    await store.put(a, featuresOf(1));
    age(store.dir, a, 1000);
    restore = await interceptFs((operation, path) => {
      if (/mkdir|rm|rename|write/.test(operation) || path.includes('.tmp-')) {
        throw Object.assign(new Error('EROFS: injected'), { code: 'EROFS' });
      }
    });
    const readOnly = new FeatureStore(store);
    expect(await readOnly.get(a)).toEqual(featuresOf(1));
    expect(await readOnly.put(b, featuresOf(2))).toBe(false);
    expect(warnings).toHaveBeenCalledTimes(1);
  });
});

describe('the size cap', () => {
  const entryBytes = async () => {
    const store = storeAt();
    await store.put(a, featuresOf(1));
    return statSync(pathOf(store.dir, a)).size;
  };

  it('lets the least recently used entries of earlier runs go first', async () => {
    const bytes = await entryBytes();
    const earlier = storeAt({ maxBytes: 3.2 * bytes });
    for (const [i, key] of [a, b, c].entries()) {
      await earlier.put(key, featuresOf(i));
      age(earlier.dir, key, 300 - i);
    }
    const store = new FeatureStore(earlier);
    // A read is a use: b is now the oldest.
    expect(await store.get(a)).not.toBeNull();
    expect(await store.put(d, featuresOf(4))).toBe(true);
    expect(await Promise.all([a, b, c, d].map((key) => store.has(key)))).toEqual([true, false, true, true]);
    expect(warnings).not.toHaveBeenCalled();
  });

  it('never lets entries go that this run uses: what does not fit is not stored', async () => {
    const bytes = await entryBytes();
    const store = storeAt({ maxBytes: 2.5 * bytes });
    const stored = [];
    for (const [i, key] of [a, b, c, d].entries()) stored.push(await store.put(key, featuresOf(i)));
    expect(stored).toEqual([true, true, false, false]);
    expect([await store.get(a), await store.get(b)]).toEqual([featuresOf(0), featuresOf(1)]);
    expect(store.accepts).toBe(false);
    expect(warnings).toHaveBeenCalledTimes(1);
  });

  it('looks again after a while', async () => {
    const bytes = await entryBytes();
    let now = Date.now();
    const store = storeAt({ maxBytes: 1.5 * bytes, now: () => now });
    expect([await store.put(a, featuresOf(1)), await store.put(b, featuresOf(2))]).toEqual([true, false]);
    age(store.dir, a, 5000);
    expect(await store.put(b, featuresOf(2))).toBe(false);
    now += 700_000;
    expect(await store.put(b, featuresOf(2))).toBe(true);
    expect(await store.has(a)).toBe(false);
  });

  it('leaves a share of the disk free', async () => {
    const disk = { freeBytes: 0.04 * 1e9, totalBytes: 1e9 };
    const store = storeAt({ disk: async () => disk });
    expect(await store.put(a, featuresOf(1))).toBe(false);
    expect(warnings.mock.calls.map(String)).toEqual([expect.stringContaining('the disk is nearly full')]);
    expect(await storeAt({ disk: async () => ({ ...disk, freeBytes: 0.06 * 1e9 }) }).put(a, featuresOf(1))).toBe(true);
    // A file system that gives no figures.
    expect(await storeAt({ disk: async () => ({ freeBytes: 0, totalBytes: 0 }) }).put(a, featuresOf(1))).toBe(true);
  });

  it('clears away what killed processes left, once it is old', async () => {
    const store = storeAt();
    const shard = join(store.dir, a.slice(0, 2));
    mkdirSync(shard, { recursive: true });
    for (const name of ['.tmp-old', '.tmp-new']) writeFileSync(join(shard, name), 'half');
    utimesSync(join(shard, '.tmp-old'), 1, 1);
    await store.put(a, featuresOf(1));
    expect(readdirSync(shard).sort()).toEqual(['.tmp-new', `${a}.safetensors`]);
  });
});
