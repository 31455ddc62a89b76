import type { VideoRecord } from '../record.js';
import { type Tag, TagIndex } from './tag-index.js';
import { containsTerm, makeTerm, type Term } from './text.js';
import { type PooledText, TextPool } from './text-pool.js';

/** The labels of one field: each occurrence, and each distinct one. */
export interface LabelPool {
  readonly occurrences: readonly Term[];
  readonly distinct: readonly Term[];
}

const EMPTY_POOL: LabelPool = { occurrences: [], distinct: [] };

/** Comments from the best liked on; equal likes keep the order of the record. */
export function rankedComments(record: VideoRecord): VideoRecord['comments'] {
  return record.comments.filter(({ text }) => text.trim() !== '').sort((a, b) => b.likes - a.likes);
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
  readonly topics: LabelPool;
  readonly categories: LabelPool;
  private readonly categoriesByTopic: ReadonlyMap<string, LabelPool>;
  private readonly ownTags = new WeakMap<VideoRecord, OwnTags>();

  constructor(records: readonly VideoRecord[]) {
    this.tags = new TagIndex(records);
    const pool = (textOf: (record: VideoRecord) => string | undefined, groupOf: (record: VideoRecord) => string) => {
      const entries = records.map((record) => ({ text: textOf(record) ?? '', group: groupOf(record) }));
      return new TextPool(
        entries.filter(({ text }) => text.trim() !== ''),
        this.tags,
      );
    };
    const topicOf = (record: VideoRecord) => record.topic ?? '';
    this.titles = pool((record) => record.title, topicOf);
    this.descriptions = pool((record) => record.description, topicOf);
    this.topComments = pool(
      (record) => rankedComments(record)[0]?.text,
      (record) => record.category ?? '',
    );
    this.topics = labelPool(records.map(({ topic }) => topic));
    this.categories = labelPool(records.map(({ category }) => category));
    const byTopic = new Map<string, (string | undefined)[]>();
    for (const record of records) byTopic.set(topicOf(record), []);
    for (const record of records) byTopic.get(topicOf(record))?.push(record.category);
    this.categoriesByTopic = new Map([...byTopic].map(([topic, categories]) => [topic, labelPool(categories)]));
  }

  /** Categories that videos of this topic have. */
  categoriesOf(topic: string | undefined): LabelPool {
    return this.categoriesByTopic.get(topic ?? '') ?? EMPTY_POOL;
  }

  /** The record's tags; it need not be part of the corpus. */
  ownTagsOf(record: VideoRecord): OwnTags {
    let own = this.ownTags.get(record);
    if (own === undefined) {
      const known = new Set<Tag>();
      const foreign: Term[] = [];
      for (const text of record.tags) {
        const tag = this.tags.find(text);
        if (tag === undefined) foreign.push(makeTerm(text));
        else known.add(tag);
      }
      own = { known, foreign };
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

/** Tags of a record: those that the corpus has, and others. */
export interface OwnTags {
  readonly known: ReadonlySet<Tag>;
  readonly foreign: readonly Term[];
}

function labelPool(labels: readonly (string | undefined)[]): LabelPool {
  const terms = new Map<string, Term>();
  const occurrences: Term[] = [];
  for (const label of labels) {
    if (label === undefined || label.trim() === '') continue;
    const term = terms.get(label) ?? makeTerm(label);
    terms.set(label, term);
    occurrences.push(term);
  }
  return { occurrences, distinct: [...terms.values()] };
}
