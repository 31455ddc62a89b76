/** The texts of a corpus as numbers: what drawing wrong options looks at, without a string or an object for each word. */
import type { VideoRecord } from '../../record.js';
import type { RecordList } from '../../record-list.js';
import { onOneLine, squash } from '../text.js';
import { NumberList, type NumberRows } from './number-list.js';
import { StringTable, type StringTableData } from './string-table.js';
import { WordSplitter } from './word-splitter.js';

/** The distinct texts of one field, in the order of their first appearance. */
export interface PoolTables {
  /** The first record that has the text. */
  readonly records: Int32Array;
  /** The label of the records that have it, -1 for several. */
  readonly groups: Int32Array;
  /** Numbers of its words. */
  readonly words: NumberRows;
}

/** Labels as the records spell them, '' for none, in the order of their first appearance. */
export interface LabelTables {
  readonly names: readonly string[];
  readonly ofRecord: Int32Array;
}

export interface CorpusTables {
  readonly words: StringTableData;
  /** The tag that a word is, -1 for none. */
  readonly tagOfWord: Int32Array;
  /** Squashed tags. */
  readonly tags: StringTableData;
  /** The first spelling of each tag, on one line. */
  readonly tagTexts: Pick<StringTableData, 'units' | 'starts'>;
  /** Tags of each record, each once. */
  readonly tagsOfRecord: NumberRows;
  readonly topics: LabelTables;
  readonly categories: LabelTables;
  readonly titles: PoolTables;
  readonly descriptions: PoolTables;
  readonly topComments: PoolTables;
}

/** What a creator writes before a tag is no part of it. */
export const withoutHash = (text: string) => text.replace(/^\s*#+/, '');

/** The best-liked comment that is not blank, the first of several. */
export function topComment({ comments }: Pick<VideoRecord, 'comments'>): string | undefined {
  let best: VideoRecord['comments'][number] | undefined;
  for (const comment of comments) {
    if ((best === undefined || comment.likes > best.likes) && comment.text.trim() !== '') best = comment;
  }
  return best?.text;
}

/** Takes the records one by one, and keeps none. */
export class CorpusTableBuilder {
  private readonly splitter = new WordSplitter();
  private readonly words = new StringTable();
  private readonly tags = new StringTable();
  private readonly tagTexts: string[] = [];
  private readonly tagStarts = new NumberList();
  private readonly occurrences = new NumberList();
  private readonly topics = new LabelBuilder();
  private readonly categories = new LabelBuilder();
  private readonly titles = new PoolBuilder(this.splitter, this.words);
  private readonly descriptions = new PoolBuilder(this.splitter, this.words);
  private readonly topComments = new PoolBuilder(this.splitter, this.words);
  private count = 0;

  add(record: VideoRecord): void {
    const topic = this.topics.add(record.topic);
    const category = this.categories.add(record.category);
    this.addTags(record.tags);
    this.titles.add(record.title, this.count, topic);
    this.descriptions.add(record.description, this.count, topic);
    this.topComments.add(topComment(record), this.count, category);
    this.count++;
  }

  finish(): CorpusTables {
    this.tagStarts.push(this.occurrences.length);
    const tagOfWord = new Int32Array(this.words.size);
    for (let word = 0; word < tagOfWord.length; word++) tagOfWord[word] = this.tags.find(squash(this.words.text(word)));
    return {
      words: this.words.data(),
      tagOfWord,
      tags: this.tags.data(),
      tagTexts: joined(this.tagTexts),
      tagsOfRecord: { starts: this.tagStarts.toArray(), values: this.occurrences.toArray() },
      topics: this.topics.finish(),
      categories: this.categories.finish(),
      titles: this.titles.finish(),
      descriptions: this.descriptions.finish(),
      topComments: this.topComments.finish(),
    };
  }

  private addTags(texts: readonly string[]): void {
    const { splitter, tags } = this;
    const first = this.occurrences.length;
    this.tagStarts.push(first);
    const own: number[] = [];
    for (const text of texts) {
      const bare = withoutHash(text);
      if (bare.trim() === '') continue;
      splitter.split(bare);
      const tag = tags.internUnits(splitter.units, 0, splitter.squash());
      if (tag === this.tagTexts.length) this.tagTexts.push(onOneLine(bare));
      if (own.includes(tag)) continue;
      own.push(tag);
      this.occurrences.push(tag);
    }
  }
}

export function buildCorpusTables(records: RecordList): CorpusTables {
  const builder = new CorpusTableBuilder();
  for (let i = 0; i < records.length; i++) {
    const record = records.at(i);
    if (record !== undefined) builder.add(record);
  }
  return builder.finish();
}

class PoolBuilder {
  private readonly entries = new Map<string, number>();
  private readonly records = new NumberList();
  private readonly groups: number[] = [];
  private readonly starts = new NumberList();
  private readonly values = new NumberList();

  constructor(
    private readonly splitter: WordSplitter,
    private readonly words: StringTable,
  ) {}

  add(text: string | undefined, record: number, group: number): void {
    if (text === undefined || text.trim() === '') return;
    const known = this.entries.get(text);
    if (known !== undefined) {
      if (this.groups[known] !== group) this.groups[known] = -1;
      return;
    }
    this.entries.set(text, this.groups.length);
    this.records.push(record);
    this.groups.push(group);
    this.starts.push(this.values.length);
    const { splitter } = this;
    splitter.split(text);
    for (let i = 0, start = 0; i < splitter.count; i++) {
      const end = splitter.ends[i] ?? 0;
      this.values.push(this.words.internUnits(splitter.units, start, end));
      start = end;
    }
  }

  finish(): PoolTables {
    this.starts.push(this.values.length);
    return {
      records: this.records.toArray(),
      groups: Int32Array.from(this.groups),
      words: { starts: this.starts.toArray(), values: this.values.toArray() },
    };
  }
}

class LabelBuilder {
  private readonly numbers = new Map<string, number>();
  private readonly ofRecord = new NumberList();

  add(label = ''): number {
    let number = this.numbers.get(label);
    if (number === undefined) {
      number = this.numbers.size;
      this.numbers.set(label, number);
    }
    this.ofRecord.push(number);
    return number;
  }

  finish(): LabelTables {
    return { names: [...this.numbers.keys()], ofRecord: this.ofRecord.toArray() };
  }
}

function joined(texts: readonly string[]): CorpusTables['tagTexts'] {
  const starts = new Uint32Array(texts.length + 1);
  for (const [i, { length }] of texts.entries()) starts[i + 1] = (starts[i] ?? 0) + length;
  const units = new Uint16Array(starts[texts.length] ?? 0);
  for (const [i, text] of texts.entries()) {
    for (let j = 0; j < text.length; j++) units[(starts[i] ?? 0) + j] = text.charCodeAt(j);
  }
  return { units, starts };
}
