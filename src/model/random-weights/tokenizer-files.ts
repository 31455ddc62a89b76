/** The tokenizer of a random checkpoint: a given one, or bytes under the published numbers of special tokens. */
import { copyFile, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ConfigError } from '../../base/errors.js';
import type { LanguageSizes } from './catalog.js';
import { imageTokens, type SpecialToken, specialTokens } from './special-tokens.js';

/** What a tokenizer folder may hold. */
const TOKENIZER_FILES = [
  ...['tokenizer.json', 'tokenizer.model', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'],
  ...['vocab.json', 'merges.txt'],
];
/** Files that say by themselves what a token is. */
const VOCABULARY_FILES = ['tokenizer.json', 'tokenizer.model', 'vocab.json'];

/**
 * Writes the tokenizer's files into `dir`.
 *
 * @param from a tokenizer folder or file to copy; without one each byte is a token
 * @throws ConfigError E_TOKENIZER_SOURCE when `from` holds no tokenizer
 */
export async function writeTokenizerFiles(dir: string, language: LanguageSizes, from?: string): Promise<void> {
  const write = (name: string, content: object) => writeFile(join(dir, name), `${JSON.stringify(content, null, 2)}\n`);
  const copied = from === undefined ? [] : await copyTokenizer(from, dir);
  const specials = specialTokens(language);
  if (copied.length === 0) await write('tokenizer.json', byteTokenizer(language));
  if (!copied.includes('tokenizer_config.json')) {
    const sentencePiece = copied.includes('tokenizer.model');
    await write('tokenizer_config.json', tokenizerConfig(language, specials, sentencePiece));
  }
  if (!copied.includes('special_tokens_map.json')) await write('special_tokens_map.json', namedTokens(language));
  if (!copied.includes('added_tokens.json')) {
    const added = imageTokens(language).map(({ content, id }) => [content, id] as const);
    await write('added_tokens.json', Object.fromEntries(added));
  }
}

async function copyTokenizer(from: string, dir: string): Promise<string[]> {
  const found = await stat(from).catch((cause: unknown) => {
    throw noTokenizer(from, (cause as Error).message);
  });
  const names = found.isDirectory() ? await readdir(from) : [basename(from)];
  const known = names.filter((name) => TOKENIZER_FILES.includes(name));
  if (!known.some((name) => VOCABULARY_FILES.includes(name))) throw noTokenizer(from, `it holds ${names.join(', ')}`);
  for (const name of known) await copyFile(found.isDirectory() ? join(from, name) : from, join(dir, name));
  return known;
}

function noTokenizer(from: string, got: string): ConfigError {
  return new ConfigError('E_TOKENIZER_SOURCE', `${from}: no tokenizer there (${got})`, {
    hint: `give ${VOCABULARY_FILES.join(', ')} or the folder of one; without --tokenizer every byte is a token`,
  });
}

/** GPT-2's printable character for each byte: Latin letters stand for themselves, the rest comes from U+0100 on. */
function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** A tokenizer.json whose tokens are the bytes; InternLM2 has them behind its first three tokens. */
function byteTokenizer(language: LanguageSizes): object {
  const firstByte = language.family === 'internlm2' ? 3 : 0;
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens(language).map(({ id, content }) => ({ id, content, ...flags })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(byteCharacters().map((character, byte) => [character, firstByte + byte])),
      merges: [],
    },
  };
}

function namedTokens({ family }: LanguageSizes) {
  return family === 'internlm2'
    ? { bos_token: '<s>', eos_token: '</s>', pad_token: '</s>', unk_token: '<unk>' }
    : { eos_token: '<|im_end|>', pad_token: '<|endoftext|>' };
}

function tokenizerConfig(language: LanguageSizes, specials: readonly SpecialToken[], sentencePiece: boolean): object {
  const flags = { lstrip: false, normalized: false, rstrip: false, single_word: false, special: true };
  const tokenizerClass = { internlm2: 'InternLM2Tokenizer', qwen2: 'Qwen2Tokenizer' }[language.family];
  return {
    ...(language.family === 'internlm2' ? { add_bos_token: true, add_eos_token: false } : { add_prefix_space: false }),
    added_tokens_decoder: Object.fromEntries(specials.map(({ id, content }) => [String(id), { content, ...flags }])),
    ...namedTokens(language),
    clean_up_tokenization_spaces: false,
    model_max_length: 8192,
    tokenizer_class: sentencePiece ? tokenizerClass : 'PreTrainedTokenizerFast',
  };
}
