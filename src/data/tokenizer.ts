/** Text to token ids and back, from the tokenizer files of a checkpoint. */
import { DataError } from '../base/errors.js';
import { nearest } from '../base/nearest.js';
import type { TextStream } from './decode-stream.js';
import { openEngine, type TokenizerEngine } from './tokenizer-engine.js';
import { readTokenizerFile, type TokenizerFile } from './tokenizer-file.js';
import { readTokenizerFolder, TOKENIZER_FILE, writeTokenizer } from './tokenizer-folder.js';
import { tokenizerHash } from './tokenizer-hash.js';

/** Texts whose ids are remembered; training asks the same prompts over and over. */
const CACHE_TEXTS = 8192;
/** Longer ones are not. */
const CACHE_TEXT_LENGTH = 4096;
const LONE_SURROGATE = /\p{Surrogate}/gu;

export interface Tokenizer {
  /** One more than the highest id. */
  readonly vocabSize: number;
  /** SHA-256 of all that decides ids and text, whatever the files it was read from. */
  readonly contentHash: string;
  /** Ids of plain text; never a control token, whatever the text spells, and none is added. */
  encode(text: string): number[];
  /** @throws DataError E_TOKENIZER_SPECIAL when the tokenizer has no such token */
  special(name: string): number;
  hasSpecial(name: string): boolean;
  /** Text of the ids; control tokens and ids without a piece are left out. */
  decode(ids: readonly number[]): string;
  /** Decodes token by token; characters split over tokens are held back until they are whole. */
  stream(): TextStream;
  /** Writes the tokenizer's files into a directory. */
  save(dir: string): Promise<void>;
}

/**
 * Loads the tokenizer of a directory: tokenizer.json, tokenizer.model (SentencePiece BPE), or vocab.json with merges.txt
 * (Qwen2), the latter two with the files beside them that name added tokens. Nothing is ever fetched.
 *
 * @throws DataError E_TOKENIZER_READ, E_TOKENIZER_FORMAT, E_TOKENIZER_ADDED, E_TOKENIZER_CLASS, E_TOKENIZER_MERGES,
 *   E_SENTENCEPIECE_*
 */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const { json, source, save } = await readTokenizerFolder(dir);
  return build(json, source, save);
}

/** A tokenizer from the content of a tokenizer.json. */
export function createTokenizer(json: object): Promise<Tokenizer> {
  return build(json, TOKENIZER_FILE, (target) => writeTokenizer(json, target));
}

async function build(json: unknown, source: string, save: (dir: string) => Promise<void>): Promise<Tokenizer> {
  const file = readTokenizerFile(json, source);
  return new FileTokenizer(file, await openEngine(file, source), source, save);
}

class FileTokenizer implements Tokenizer {
  private readonly cache = new Map<string, readonly number[]>();
  private hash: string | undefined;

  constructor(
    private readonly file: TokenizerFile,
    private readonly engine: TokenizerEngine,
    private readonly source: string,
    readonly save: (dir: string) => Promise<void>,
  ) {}

  private readonly isHidden = (id: number): boolean =>
    !(id >= 0 && id < this.file.vocabSize) || this.file.controlIds.has(id);

  get vocabSize(): number {
    return this.file.vocabSize;
  }

  get contentHash(): string {
    this.hash ??= tokenizerHash(this.file);
    return this.hash;
  }

  encode(text: string): number[] {
    if (text === '') return [];
    let ids = this.cache.get(text);
    if (ids === undefined) {
      // Half a surrogate pair is no character; as UTF-8 it is U+FFFD.
      ids = this.engine.encode(text.replace(LONE_SURROGATE, '\uFFFD'));
      if (text.length > CACHE_TEXT_LENGTH) return [...ids];
      const oldest = this.cache.size >= CACHE_TEXTS ? this.cache.keys().next().value : undefined;
      if (oldest !== undefined) this.cache.delete(oldest);
      this.cache.set(text, ids);
    }
    return ids.slice();
  }

  special(name: string): number {
    const id = this.file.added.get(name);
    if (id !== undefined) return id;
    const guess = nearest(name, this.file.added.keys());
    throw new DataError('E_TOKENIZER_SPECIAL', `${this.source} has no special token ${name}`, {
      hint: guess === undefined ? 'choose a template that fits the tokenizer' : `it has ${guess}`,
    });
  }

  hasSpecial(name: string): boolean {
    return this.file.added.has(name);
  }

  decode(ids: readonly number[]): string {
    return this.engine.decode(ids, this.isHidden);
  }

  stream(): TextStream {
    return this.engine.stream(this.isHidden);
  }
}
