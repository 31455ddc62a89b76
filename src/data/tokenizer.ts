/** Text to token ids and back, from a Hugging Face tokenizer.json. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PreTrainedTokenizer } from '@xenova/transformers/src/tokenizers.js';
import { DataError } from '../base/errors.js';
import { nearest } from '../base/nearest.js';
import { DecodeStream, type TextStream } from './decode-stream.js';
import { readTokenizerFile, type TokenizerFile } from './tokenizer-file.js';

const TOKENIZER_FILE = 'tokenizer.json';
const COMPANION_FILES = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'tokenizer.model'];
/** Texts whose ids are remembered; training asks the same prompts over and over. */
const CACHE_TEXTS = 8192;

export interface Tokenizer {
  /** One more than the highest id. */
  readonly vocabSize: number;
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
 * Loads `tokenizer.json` of a directory. Nothing is ever fetched.
 *
 * @throws DataError E_TOKENIZER_READ, E_TOKENIZER_FORMAT
 */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const path = join(dir, TOKENIZER_FILE);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new DataError('E_TOKENIZER_READ', `tokenizer ${path} cannot be read: ${(cause as Error).message}`, {
      hint: 'the directory of a language model must hold a tokenizer.json',
      cause,
    });
  }
  return build(json, path, (target) => copyFiles(dir, target));
}

/** A tokenizer from the content of a tokenizer.json. */
export function createTokenizer(json: object): Promise<Tokenizer> {
  return build(json, TOKENIZER_FILE, async (target) => {
    await mkdir(target, { recursive: true });
    await writeFile(join(target, TOKENIZER_FILE), JSON.stringify(json));
  });
}

async function build(json: unknown, source: string, save: (dir: string) => Promise<void>): Promise<Tokenizer> {
  const file = readTokenizerFile(json, source);
  // Imported on first use: the module loads a native runtime that most commands never need.
  const { PreTrainedTokenizer } = await import('@xenova/transformers/src/tokenizers.js');
  return new FileTokenizer(file, new PreTrainedTokenizer(file.plainJson, {}), source, save);
}

async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await copyFile(join(from, TOKENIZER_FILE), join(to, TOKENIZER_FILE));
  for (const name of COMPANION_FILES) {
    await copyFile(join(from, name), join(to, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

class FileTokenizer implements Tokenizer {
  private readonly cache = new Map<string, readonly number[]>();

  constructor(
    private readonly file: TokenizerFile,
    private readonly plain: PreTrainedTokenizer,
    private readonly source: string,
    readonly save: (dir: string) => Promise<void>,
  ) {}

  get vocabSize(): number {
    return this.file.vocabSize;
  }

  encode(text: string): number[] {
    if (text === '') return [];
    let ids = this.cache.get(text);
    if (ids === undefined) {
      ids = this.plain.encode(text, null, { add_special_tokens: false });
      // The library remembers all texts for good; ours forgets the oldest.
      this.plain.model.cache?.clear();
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
    const visible = ids.filter((id) => id >= 0 && id < this.file.vocabSize && !this.file.controlIds.has(id));
    if (visible.length === 0) return '';
    return this.plain.decode(visible, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  stream(): TextStream {
    return new DecodeStream((ids) => this.decode(ids));
  }
}
