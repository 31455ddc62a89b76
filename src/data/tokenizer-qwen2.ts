/** Qwen2's byte-level BPE from vocab.json and merges.txt, as a tokenizer.json. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../base/errors.js';
import { type AddedToken, type AddedTokens, checkSpecialNames, readJson } from './tokenizer-added.js';
import { VocabSchema } from './tokenizer-file.js';

/** @source QwenLM Qwen2 tokenizer.json, and transformers tokenization_qwen2.py: PRETOKENIZE_REGEX */
const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/**
 * @param added special and other tokens beside the vocabulary
 * @throws DataError E_TOKENIZER_READ, E_TOKENIZER_FORMAT, E_TOKENIZER_ADDED
 */
export async function readQwen2Json(dir: string, added: AddedTokens): Promise<object> {
  const path = join(dir, 'vocab.json');
  const vocab = await readJson(path, VocabSchema);
  if (vocab === undefined) throw new DataError('E_TOKENIZER_READ', `${path} cannot be read: there is no such file`);
  checkSpecialNames(added, (name) => Object.hasOwn(vocab, name), path);
  checkAdded(added.tokens, vocab, path);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.tokens,
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN2_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: await readMerges(join(dir, 'merges.txt'), vocab),
    },
  };
}

/** One merge a line, "left right"; the first line may give a version. A line may begin with # otherwise. */
async function readMerges(path: string, vocab: Readonly<Record<string, number>>): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new DataError('E_TOKENIZER_READ', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const merges: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === '' || (index === 0 && line.startsWith('#version:'))) continue;
    const [left, right, ...more] = line.split(' ');
    const known =
      left && right && more.length === 0 && [left, right, left + right].every((part) => Object.hasOwn(vocab, part));
    if (!known)
      throw new DataError(
        'E_TOKENIZER_FORMAT',
        `${path}, line ${index + 1}: got ${JSON.stringify(line.slice(0, 80))}, expected two pieces of vocab.json that make a third`,
        { hint: 'vocab.json and merges.txt must come from one tokenizer' },
      );
    merges.push(line);
  }
  return merges;
}

function checkAdded(added: readonly AddedToken[], vocab: Readonly<Record<string, number>>, path: string): void {
  const pieces = new Map(Object.entries(vocab).map(([piece, id]) => [id, piece]));
  for (const { id, content } of added) {
    const piece = pieces.get(id) ?? content;
    const known = Object.hasOwn(vocab, content) ? vocab[content] : id;
    if (piece === content && known === id) continue;
    throw new DataError(
      'E_TOKENIZER_ADDED',
      `${path}: got added token ${content} with id ${id}, expected ${known === id ? `${piece}, which has that id` : known}`,
      { hint: 'copy tokenizer_config.json and vocab.json from one checkpoint' },
    );
  }
}
