import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeDirectoryAtomic, writeFileAtomic } from '../../src/base/atomic-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-atomic-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('writeFileAtomic', () => {
  it('creates missing folders, replaces the file and leaves nothing else', async () => {
    const path = join(folder, 'a', 'b.json');
    await writeFileAtomic(path, 'one');
    await writeFileAtomic(path, new Uint8Array([116, 119, 111]));
    expect(await readFile(path, 'utf8')).toBe('two');
    expect(await readdir(join(folder, 'a'))).toEqual(['b.json']);
  });

  it('keeps writes to one path apart when they happen at once', async () => {
    const path = join(folder, 'shared');
    const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(100_000));
    await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['shared']);
  });

  it('rejects and leaves no temporary file when the name is taken by a folder', async () => {
    await mkdir(join(folder, 'taken'));
    await expect(writeFileAtomic(join(folder, 'taken'), 'x')).rejects.toThrow('EISDIR');
    expect(await readdir(folder)).toEqual(['taken']);
  });
});

describe('writeDirectoryAtomic', () => {
  it('shows the folder only when all of it is written', async () => {
    const target = join(folder, 'step-1');
    await writeDirectoryAtomic(target, async (temporary) => {
      await mkdir(join(temporary, 'deep'));
      await writeFile(join(temporary, 'deep', 'weights'), 'w');
      await writeFile(join(temporary, 'state.json'), '{}');
      expect(await readdir(folder)).toEqual([expect.stringMatching(new RegExp(`^\\.tmp-step-1-${process.pid}-\\d+$`))]);
    });
    expect(await readdir(folder)).toEqual(['step-1']);
    expect((await readdir(target, { recursive: true })).sort()).toEqual([
      'deep',
      join('deep', 'weights'),
      'state.json',
    ]);
  });

  it('leaves nothing behind when writing fails, and passes the error on', async () => {
    const failing = writeDirectoryAtomic(join(folder, 'step-2'), async (temporary) => {
      await writeFile(join(temporary, 'half'), '');
      throw new Error('disk full');
    });
    await expect(failing).rejects.toThrow('disk full');
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses to replace a folder that holds something, which stays as it was', async () => {
    const target = join(folder, 'step-3');
    await writeDirectoryAtomic(target, (temporary) => writeFile(join(temporary, 'old'), ''));
    const again = writeDirectoryAtomic(target, (temporary) => writeFile(join(temporary, 'new'), ''));
    await expect(again).rejects.toThrow('ENOTEMPTY');
    expect(await readdir(target)).toEqual(['old']);
    expect(await readdir(folder)).toEqual(['step-3']);
  });
});
