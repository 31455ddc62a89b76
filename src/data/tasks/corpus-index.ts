import type { VideoRecord } from '../record.js';
import type { RecordList } from '../record-list.js';
import { LabelIndex, type LabelPool } from './label-index.js';
import { buildCorpusTables, type CorpusTables, type PoolTables, topComment } from './tables/corpus-tables.js';
import { type Tag, TagIndex } from './tag-index.js';
import { containsTerm, makeTerm, type Term } from './text.js';
import { type PooledText, TextPool } from './text-pool.js';
import { WordIndex } from './word-index.js';

/** A visit asks several questions about the comments of one record. */
const rankings = new WeakMap<VideoRecord, VideoRecord['comments']>();

/** Comments from the best liked on; equal likes keep the order of the record. */
export function rankedComments(record: VideoRecord): Readonly<VideoRecord['comments']> {
  let ranked = rankings.get(record);
  if (ranked === undefined) {
    ranked = record.comments.filter(({ text }) => text.trim() !== '').sort((a, b) => b.likes - a.likes);
    rankings.set(record, ranked);
  }
  return ranked;
}

/**
 * The texts of a corpus, arranged so that drawing the wrong options of a question does not scan the corpus.
 *
 * Build it from one split only: a benchmark whose wrong options come from the training set can be solved by memory.
 */
export class CorpusIndex {
  readonly tags: TagIndex;
  /** Grouped by topic. */
  readonly titles: TextPool;
  readonly descriptions: TextPool;
  /** The best-liked comment of each video, grouped by category. */
  readonly topComments: TextPool;
  private readonly labels: LabelIndex;
  private readonly ownTags = new WeakMap<VideoRecord, OwnTags>();

  /** @param tables of the same records, where they are known already */
  constructor(records: RecordList, tables: CorpusTables = buildCorpusTables(records)) {
    this.tags = new TagIndex(tables);
    this.labels = new LabelIndex(tables.topics, tables.categories);
    const words = new WordIndex(tables);
    const pool = (
      pooled: PoolTables,
      textOf: (record: VideoRecord) => string | undefined,
      kind: 'topic' | 'category',
    ) => {
      const text = (number: number) => {
        const record = records.at(number);
        return record === undefined ? '' : (textOf(record) ?? '');
      };
      return new TextPool(pooled, text, (group) => this.labels.numberOf(kind, group), words, this.tags);
    };
    this.titles = pool(tables.titles, ({ title }) => title, 'topic');
    this.descriptions = pool(tables.descriptions, ({ description }) => description, 'topic');
    this.topComments = pool(tables.topComments, topComment, 'category');
  }

  get topics(): LabelPool {
    return this.labels.topics;
  }

  get categories(): LabelPool {
    return this.labels.categories;
  }

  /** Categories that videos of this topic have. */
  categoriesOf(topic: string | undefined): LabelPool {
    return this.labels.categoriesOf(topic);
  }

  /** The record's tags; it need not be part of the corpus. */
  ownTagsOf(record: VideoRecord): OwnTags {
    let own = this.ownTags.get(record);
    if (own === undefined) {
      const found = record.tags.map((text): Tag | Term => this.tags.find(text) ?? makeTerm(text));
      own = {
        known: new Set(found.flatMap((tag) => ('id' in tag ? [tag.id] : []))),
        foreign: found.filter((tag) => !('id' in tag)),
      };
      this.ownTags.set(record, own);
    }
    return own;
  }

  /** Whether `text` spells a tag of the record, so that it would be true of its video too. */
  spellsOwnTag(record: VideoRecord, text: PooledText): boolean {
    const { known, foreign } = this.ownTagsOf(record);
    return text.mentions.some((tag) => known.has(tag)) || foreign.some((tag) => containsTerm(text, tag));
  }
}

/** Tags of a record: numbers of those that the corpus has, and others. */
export interface OwnTags {
  readonly known: ReadonlySet<number>;
  readonly foreign: readonly Term[];
}
