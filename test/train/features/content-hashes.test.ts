import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/hash.js';
import type { VideoInput } from '../../../src/data/video/open-video.js';
import { ContentHashes } from '../../../src/train/features/content-hashes.js';
import { HashIndex } from '../../../src/train/features/hash-index.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();
const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const fail = (error: unknown): void => {
  throw error;
};
let indexes = 0;
const hashesAt = (dir = join(folder, `index-${indexes++}`), onError = fail) => ({
  dir,
  hashes: new ContentHashes(new HashIndex(dir), onError),
});

describe('content hashes', () => {
  it('read an unchanged video once, also in the next process', async () => {
    const path = file('a.mp4', 'pixels');
    const { dir, hashes } = hashesAt();
    expect((await hashes.of(path))?.sha256).toBe(sha256('pixels'));
    expect((await hashes.of(path))?.sha256).toBe(sha256('pixels'));
    expect(hashes.read).toBe(1);
    const { hashes: later } = hashesAt(dir);
    expect((await later.of(path))?.sha256).toBe(sha256('pixels'));
    expect(later.read).toBe(0);
  });

  it('read a video again that was overwritten, even with its size and time of modification kept', async () => {
    const path = file('b.mp4', 'pixels');
    const { hashes } = hashesAt();
    const before = await hashes.of(path);
    const { atime, mtime } = statSync(path);
    // The kernel's clock of file times ticks every 4 ms at most.
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(path, 'pixelz');
    utimesSync(path, atime, mtime);
    if (before !== null) expect(await hashes.isUnchanged(path, before)).toBe(false);
    expect((await hashes.of(path))?.sha256).toBe(sha256('pixelz'));
    expect(hashes.read).toBe(2);
  });

  it('tell image files apart by content, order and times', async () => {
    const [x, y] = [file('x.png', 'x'), file('y.png', 'y')];
    const { hashes } = hashesAt();
    const of = async (frames: readonly string[], frameTimesSec: readonly number[]) =>
      (await hashes.of({ frames, frameTimesSec } satisfies VideoInput))?.sha256;
    const all = [await of([x, y], [0, 1]), await of([y, x], [0, 1]), await of([x, y], [0, 2]), await of([x], [0])];
    expect(new Set(all).size).toBe(4);
    expect(await of([x, file('same-as-y.png', 'y')], [0, 1])).toBe(all[0]);
  });

  it('know nothing of a video that is absent or no regular file', async () => {
    const { hashes } = hashesAt();
    mkdirSync(join(folder, 'directory.mp4'));
    expect(await hashes.of(join(folder, 'absent.mp4'))).toBeNull();
    expect(await hashes.of(join(folder, 'directory.mp4'))).toBeNull();
    expect(await hashes.of({ frames: [join(folder, 'absent.png')], frameTimesSec: [0] })).toBeNull();
  });

  it('go on in memory where the index cannot be written', async () => {
    const path = file('c.mp4', 'pixels');
    const errors: unknown[] = [];
    const { hashes } = hashesAt(join(path, 'below-a-file'), (error) => void errors.push(error));
    for (const _ of [1, 2]) expect((await hashes.of(path))?.sha256).toBe(sha256('pixels'));
    expect([hashes.read, errors.length]).toEqual([1, 1]);
  });
});

describe('the index of hashes', () => {
  const state = (n: number) => `aa${sha256(String(n)).slice(2)}`;
  const content = (n: number) => sha256(`content ${n}`);
  const fileOf = (dir: string) => join(dir, 'aa');

  it('sees what another process adds later', async () => {
    const { dir } = hashesAt();
    const [one, two] = [new HashIndex(dir), new HashIndex(dir)];
    expect(await two.get(state(1))).toBeUndefined();
    await one.add(state(1), content(1));
    expect(await two.get(state(1))).toBe(content(1));
    await two.add(state(2), content(2));
    expect(await Promise.all([one.get(state(2)), one.get(state(3)), one.get(state(2))])).toEqual([
      content(2),
      undefined,
      content(2),
    ]);
    expect(readdirSync(dir)).toEqual(['aa']);
  });

  it('passes over torn and damaged lines, and keeps the others', async () => {
    const { dir } = hashesAt();
    const writer = new HashIndex(dir);
    for (const n of [1, 2, 3]) await writer.add(state(n), content(n));
    const bytes = readFileSync(fileOf(dir));
    const inSecond = bytes.indexOf(state(2)) + 100;
    bytes[inSecond] = bytes[inSecond] === 0x61 ? 0x62 : 0x61;
    writeFileSync(fileOf(dir), bytes);
    truncateSync(fileOf(dir), bytes.length - 40);
    appendFileSync(fileOf(dir), Buffer.from([0xff, 0xfe]));
    await new HashIndex(dir).add(state(4), content(4));
    const index = new HashIndex(dir);
    const read = await Promise.all([1, 2, 3, 4].map((n) => index.get(state(n))));
    expect(read).toEqual([content(1), undefined, undefined, content(4)]);
  });
});
