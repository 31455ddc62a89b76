import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.js';
import { readJsonl, writeJsonl } from '../../src/data/jsonl.js';
import { VideoRecord } from '../../src/data/record.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mimic-jsonl-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function file(name: string, lines: readonly (string | object)[]): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  return path;
}

async function failure(path: string): Promise<DataError> {
  try {
    await readJsonl(path, VideoRecord, { uniqueKey: 'id', warn: () => {} });
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
  throw new Error('expected a DataError');
}

const good = { id: 'a', video_path: 'a.mp4', comments: [{ text: 'nice', likes: 3 }] };

describe('readJsonl', () => {
  it('reads records, skips blank lines and fills missing lists', async () => {
    const path = await file('good.jsonl', [good, '', { id: 'b', video_path: 'b.mp4' }, '']);
    const rows = await readJsonl(path, VideoRecord);
    expect(rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(rows[1]).toMatchObject({ tags: [], comments: [] });
  });

  it('reports every error of the file at once, with line, key, got and expected', async () => {
    const path = await file('bad.jsonl', [
      good,
      { ...good, id: 7 },
      '{"id": "c",',
      { ...good, id: 'd', comments: [{ text: 'x', likes: '12' }] },
      '[1, 2]',
      { id: 'e' },
      { id: 'f', frames: ['1.png', '2.png'], frame_times_sec: [0] },
      { ...good, id: 'a' },
      { ...good, id: 'g', stats: { like: -1 } },
    ]);
    const { code, message } = await failure(path);
    expect(code).toBe('E_JSONL_INVALID');
    expect(message).toContain(`${path}: 8 errors`);
    expect(message).toContain(`${path}:2: id: got 7, expected a string`);
    expect(message).toContain(`${path}:3: not valid JSON`);
    expect(message).toContain(`${path}:4: comments.0.likes: got "12", expected a number`);
    expect(message).toContain(`${path}:5: got [1, 2], expected a JSON object`);
    expect(message).toContain(`${path}:6: video_path: expected either video_path, or frames with frame_times_sec`);
    expect(message).toContain(`${path}:7: frame_times_sec: expected one time for each of frames`);
    expect(message).toContain(`${path}:8: id: got "a", which line 1 has already`);
    expect(message).toContain(`${path}:9: stats.like: got -1, expected at least 0`);
  });

  it('names twenty errors and counts the rest', async () => {
    const path = await file(
      'many.jsonl',
      Array.from({ length: 30 }, (_, i) => ({ ...good, id: i })),
    );
    const { message } = await failure(path);
    expect(message.split('\n')).toHaveLength(22);
    expect(message).toContain('... and 10 more');
  });

  it('warns once of an unknown key, with the nearest known one', async () => {
    const path = await file('unknown.jsonl', [
      { ...good, titel: 'x', comments: [{ text: 'x', likes: 1, liks: 2 }] },
      { ...good, titel: 'y', facts: { shape: 'ball' } },
    ]);
    const warnings: string[] = [];
    const rows = await readJsonl(path, VideoRecord, { warn: (message) => warnings.push(message) });
    expect(warnings).toEqual([
      `${path}:1: comments[].liks: unknown key, ignored, did you mean "likes"?`,
      `${path}:1: titel: unknown key, ignored, did you mean "title"?`,
    ]);
    expect(rows[1]).toMatchObject({ facts: { shape: 'ball' } });
    expect(rows[0]).not.toHaveProperty('titel');
  });

  it('says which file cannot be read', async () => {
    const { code, message } = await failure(join(dir, 'absent.jsonl'));
    expect(code).toBe('E_JSONL_READ');
    expect(message).toContain('absent.jsonl cannot be read: ENOENT');
  });
});

describe('writeJsonl', () => {
  it('round-trips rows and leaves no partial file behind, also on failure', async () => {
    const out = join(dir, 'out');
    const path = join(out, 'rows.jsonl');
    await writeJsonl(path, [good]);
    expect(await readFile(path, 'utf8')).toBe(`${JSON.stringify(good)}\n`);
    await expect(writeJsonl(path, [good, { n: 1n }])).rejects.toThrow('BigInt');
    expect(await readdir(out)).toEqual(['rows.jsonl']);
    expect(await readFile(path, 'utf8')).toBe(`${JSON.stringify(good)}\n`);
  });
});
