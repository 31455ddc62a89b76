import type { CorpusTables } from './tables/corpus-tables.js';
import { type NumberRows, placesByNumber, rowOf } from './tables/number-list.js';
import { StringTable } from './tables/string-table.js';

/** The words of all texts of a corpus by their numbers, and the tags that some of them are. */
export class WordIndex {
  private readonly words: StringTable;
  private readonly tagOfWord: Int32Array;
  private readonly wordsOfTag: NumberRows;

  constructor({ words, tagOfWord, tags }: Pick<CorpusTables, 'words' | 'tagOfWord' | 'tags'>) {
    this.words = new StringTable(words);
    this.tagOfWord = tagOfWord;
    this.wordsOfTag = placesByNumber(tagOfWord, tags.starts.length - 1);
  }

  get size(): number {
    return this.words.size;
  }

  /** The number of a word, -1 for one that no text has. */
  find(word: string): number {
    return this.words.find(word);
  }

  text(word: number): string {
    return this.words.text(word);
  }

  /** Copies the units of a word to `units` at `at`. @returns where they end; -1 where there is no room */
  copy(word: number, units: Uint16Array, at: number): number {
    return this.words.copy(word, units, at);
  }

  /** The number of the tag that a word is, -1 for none. */
  tagOf(word: number): number {
    return this.tagOfWord[word] ?? -1;
  }

  /** All words that are one of these tags: several spell the same. */
  ofTags(tags: Int32Array): Int32Array {
    const words: number[] = [];
    for (const tag of tags) words.push(...rowOf(this.wordsOfTag, tag));
    return Int32Array.from(words);
  }
}
