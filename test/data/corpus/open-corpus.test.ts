import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { webRecord } from '../../../bench/web-records.js';
import { sha256 } from '../../../src/base/hash.js';
import { Rng } from '../../../src/base/rng.js';
import { type Corpus, type OpenCorpusOptions, openCorpus } from '../../../src/data/corpus/open-corpus.js';
import { readRecords } from '../../../src/data/read-records.js';
import type { RecordList } from '../../../src/data/record-list.js';
import { CorpusIndex } from '../../../src/data/tasks/corpus-index.js';
import { drawQuestion } from '../../../src/data/tasks/index.js';
import { CHOICE_TASKS } from '../../../src/data/tasks/types.js';

const records = Array.from({ length: 300 }, (_, i) => webRecord(5, i));
const jsonl = (rows: readonly unknown[], end = '\n') => rows.map((row) => `${JSON.stringify(row)}${end}`).join('');

let dir = '';
let path = '';
let folder = '';
const opened: Corpus[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mimic-corpus-'));
  path = join(dir, 'train.jsonl');
  folder = join(dir, 'indexes');
  await writeFile(path, jsonl(records));
});
afterAll(async () => {
  for (const corpus of opened) corpus.close();
  await rm(dir, { recursive: true });
});

async function open(file = path, options: OpenCorpusOptions = {}): Promise<Corpus> {
  const corpus = await openCorpus(file, { folder, minIndexedBytes: 0, ...options });
  opened.push(corpus);
  return corpus;
}
const all = (list: RecordList) => Array.from({ length: list.length }, (_, i) => list.at(i));
function draws(list: RecordList, index: CorpusIndex): unknown[] {
  return all(list).flatMap((record, i) => {
    if (record === undefined) throw new Error('no record');
    return CHOICE_TASKS.map((task) => drawQuestion(task, record, index, new Rng(1, 'corpus').fork(i)));
  });
}

describe('a corpus in a file', () => {
  it('has the records of readRecords and the draws of an index of these, without an index on disk and with one', async () => {
    const plain = await readRecords(path);
    const expected = draws(plain.records, new CorpusIndex(plain.records));
    for (const isFromFile of [false, true]) {
      const corpus = await open();
      expect(corpus.isFromFile).toBe(isFromFile);
      expect(corpus.root).toBe(dir);
      expect(all(corpus.records)).toEqual(plain.records);
      expect(corpus.records.at(-1)).toBeUndefined();
      expect(corpus.records.at(300)).toBeUndefined();
      expect(draws(corpus.records, corpus.index)).toEqual(expected);
      expect(corpus.idsSha256).toBe(sha256(records.map(({ id }) => id).join('\n')));
      expect(corpus.textLengths[7]).toBe(
        (records[7]?.title?.length ?? 0) +
          (records[7]?.description?.length ?? 0) +
          [...(records[7]?.tags ?? []), ...(records[7]?.comments ?? []).map(({ text }) => text)].join('').length,
      );
    }
  });

  it('that is small is kept in memory and leaves no index', async () => {
    const other = join(dir, 'small-indexes');
    const corpus = await open(path, { folder: other, minIndexedBytes: 1e9 });
    expect(draws(corpus.records, corpus.index)).toHaveLength(300 * CHOICE_TASKS.length);
    await expect(readdir(other)).rejects.toThrow('ENOENT');
  });

  it('reads lines however they end, blank ones and one longer than the reader takes at once among them', async () => {
    const long = { ...webRecord(6, 0), id: 'long', description: `${'é'.repeat(40)}. `.repeat(120_000) };
    for (const [name, text] of [
      ['crlf', jsonl(records, '\r\n')],
      ['cr', jsonl(records, '\r')],
      ['mixed', `\n\r\n${jsonl(records.slice(0, 9))}  \n\r${jsonl(records.slice(9), '\n\n')}`],
      ['long', `${jsonl(records)}${JSON.stringify(long)}\n${JSON.stringify({ ...long, id: 'longer' })}`],
    ] as const) {
      const file = join(dir, `${name}.jsonl`);
      await writeFile(file, text);
      expect(all((await open(file)).records), name).toEqual((await readRecords(file)).records);
    }
  });

  it('that was written to in place is refused when a changed line is drawn; one that was replaced goes on', async () => {
    const file = join(dir, 'changed.jsonl');
    await writeFile(file, jsonl(records));
    const corpus = await open(file);
    await writeFile(file, jsonl(records).replace('"likes"', '"lakes"'));
    expect(() => corpus.records.at(0)).toThrow(expect.objectContaining({ code: 'E_RECORDS_CHANGED' }));
    expect(corpus.records.at(299)).toEqual(records[299]);
    await truncate(file, 100);
    expect(() => corpus.records.at(298)).toThrow(expect.objectContaining({ code: 'E_RECORDS_CHANGED' }));
    const replaced = await open();
    await rm(path);
    await writeFile(path, jsonl(records));
    expect(replaced.records.at(5)).toEqual(records[5]);
  });
});

describe('an index on disk', () => {
  const indexes = async (where: string) => (await readdir(where)).sort();

  it('of other records is not used: one more record, or one letter', async () => {
    const file = join(dir, 'grown.jsonl');
    await writeFile(file, jsonl(records));
    expect((await open(file)).isFromFile).toBe(true);
    await appendFile(file, jsonl([webRecord(6, 1)]));
    const grown = await open(file);
    expect(grown.isFromFile).toBe(false);
    expect(grown.records.length).toBe(301);
  });

  it('that is cut short, changed or empty is made again', async () => {
    const where = join(dir, 'damaged');
    await open(path, { folder: where });
    const [name = ''] = await indexes(where);
    const whole = await readFile(join(where, name));
    const changed = Buffer.from(whole);
    changed[whole.length >> 1] = (changed[whole.length >> 1] ?? 0) ^ 1;
    for (const damaged of [whole.subarray(0, whole.length - 1), changed, Buffer.alloc(0), Buffer.alloc(64)]) {
      await writeFile(join(where, name), damaged);
      expect((await open(path, { folder: where })).isFromFile).toBe(false);
      expect(await readFile(join(where, name))).toEqual(whole);
      expect((await open(path, { folder: where })).isFromFile).toBe(true);
    }
  });

  it('may be written by several at once', async () => {
    const where = join(dir, 'at-once');
    const corpora = await Promise.all(Array.from({ length: 4 }, () => open(path, { folder: where })));
    expect(corpora.map(({ records: { length } }) => length)).toEqual([300, 300, 300, 300]);
    expect(await indexes(where)).toHaveLength(1);
    expect((await open(path, { folder: where })).isFromFile).toBe(true);
  });

  it('that cannot be written costs the next start time, and nothing else', async () => {
    const where = join(path, 'not-a-folder');
    expect((await open(path, { folder: where })).records.length).toBe(300);
    expect((await open(path, { folder: where })).isFromFile).toBe(false);
  });

  it('is removed when sixteen others were used later', async () => {
    const where = join(dir, 'many');
    for (let i = 0; i < 18; i++) {
      const file = join(dir, `many-${i}.jsonl`);
      await writeFile(file, jsonl(records.slice(0, 2 + i)));
      await open(file, { folder: where });
    }
    expect(await indexes(where)).toHaveLength(16);
  });
});

describe('faults of a file', () => {
  const faulty = jsonl([
    records[0],
    { ...records[1], tags: [1], likes: 3 },
    { ...records[2], id: records[0]?.id },
    { ...records[3], comments: [{ text: '', likes: -1 }], stats: { like: 1.5 } },
    { ...records[4], duration_sec: 0, frames: ['a.png'] },
    { id: 'bare' },
    { ...records[5], titel: 'x' },
  ]).replace('"lang":"en"}\n', '"lang":"en"}\n{not json\n[1]\n');

  it('are told in the words of readRecords', async () => {
    const file = join(dir, 'faulty.jsonl');
    await writeFile(file, faulty);
    const expected: unknown = await readRecords(file).catch((error: unknown) => error);
    const error: unknown = await open(file).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'E_JSONL_INVALID' });
    expect(error).toEqual(expected);
    for (const missing of [join(dir, 'absent.jsonl'), dir]) {
      const known: unknown = await readRecords(missing).catch((thrown: unknown) => thrown);
      await expect(open(missing)).rejects.toEqual(known);
    }
    await writeFile(file, '\n');
    await expect(open(file)).rejects.toMatchObject({ code: 'E_RECORDS_EMPTY' });
  });

  it('that are only warned about are told at every start', async () => {
    const file = join(dir, 'warned.jsonl');
    await writeFile(file, jsonl([records[0], { ...records[1], titel: 'x' }, { ...records[2], titel: 'y' }]));
    for (const isFromFile of [false, true]) {
      const warnings: string[] = [];
      const corpus = await open(file, { warn: (message) => warnings.push(message) });
      expect(corpus.isFromFile).toBe(isFromFile);
      expect(warnings).toEqual([`${file}:2: titel: unknown key, ignored, did you mean "title"?`]);
    }
  });
});
