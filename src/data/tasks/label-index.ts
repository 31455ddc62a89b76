import type { List } from './options.js';
import type { LabelTables } from './tables/corpus-tables.js';
import { type NumberRows, placesByNumber, rowOf } from './tables/number-list.js';
import { makeTerm, type Term } from './text.js';

/** The labels of one field: each occurrence, and each distinct one. */
export interface LabelPool {
  readonly occurrences: List<Term>;
  readonly distinct: List<Term>;
}

const EMPTY_POOL: LabelPool = { occurrences: [], distinct: [] };

/** Topics and categories, and which categories a topic's videos have. */
export class LabelIndex {
  readonly topics: LabelPool;
  readonly categories: LabelPool;
  private readonly numbers: {
    readonly topic: ReadonlyMap<string, number>;
    readonly category: ReadonlyMap<string, number>;
  };
  private readonly categoryTerms: readonly (Term | undefined)[];
  private readonly categoryOf: Int32Array;
  private readonly recordsOfTopic: NumberRows;
  private readonly byTopic = new Map<number, LabelPool>();

  constructor(topics: LabelTables, categories: LabelTables) {
    this.numbers = { topic: numbersOf(topics), category: numbersOf(categories) };
    this.topics = poolOf(topics.ofRecord, termsOf(topics));
    this.categoryTerms = termsOf(categories);
    this.categoryOf = categories.ofRecord;
    this.categories = poolOf(categories.ofRecord, this.categoryTerms);
    this.recordsOfTopic = placesByNumber(topics.ofRecord, topics.names.length);
  }

  /** The number of a label; -1 for one that no record has. */
  numberOf(kind: 'topic' | 'category', label: string): number {
    return this.numbers[kind].get(label) ?? -1;
  }

  /** Categories that videos of this topic have. */
  categoriesOf(topic = ''): LabelPool {
    const number = this.numberOf('topic', topic);
    if (number < 0) return EMPTY_POOL;
    let pool = this.byTopic.get(number);
    if (pool === undefined) {
      const labels = rowOf(this.recordsOfTopic, number).map((record) => this.categoryOf[record] ?? 0);
      pool = poolOf(labels, this.categoryTerms);
      this.byTopic.set(number, pool);
    }
    return pool;
  }
}

const numbersOf = ({ names }: LabelTables) => new Map(names.map((name, number) => [name, number]));

/** Undefined for a blank label, which is none. */
const termsOf = ({ names }: LabelTables) => names.map((name) => (name.trim() === '' ? undefined : makeTerm(name)));

function poolOf(labels: Int32Array, terms: readonly (Term | undefined)[]): LabelPool {
  const occurrences = labels.filter((label) => terms[label] !== undefined);
  const distinct = [...new Set(occurrences)].flatMap((label) => terms[label] ?? []);
  return { occurrences: { length: occurrences.length, at: (i) => terms[occurrences[i] ?? -1] }, distinct };
}
