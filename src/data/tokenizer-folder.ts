/** Finds the tokenizer of a folder, in whichever of the three forms checkpoints have it. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../base/errors.js';
import { log } from '../base/logger.js';
import { impliedTokens } from './sentencepiece/implied-tokens.js';
import { checkModelBytes, readSentencePiece } from './sentencepiece/model.js';
import { sentencePieceJson } from './sentencepiece/tokenizer-json.js';
import { type AddedTokens, checkSpecialNames, readAddedTokens } from './tokenizer-added.js';
import { readQwen2Json } from './tokenizer-qwen2.js';

export const TOKENIZER_FILE = 'tokenizer.json';
const MODEL_FILE = 'tokenizer.model';
const VOCAB_FILE = 'vocab.json';
/** Files that go with a tokenizer when it is copied. */
const COMPANION_FILES = [
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  MODEL_FILE,
  VOCAB_FILE,
  'merges.txt',
];

export interface FolderTokenizer {
  /** Content of a tokenizer.json. */
  readonly json: unknown;
  /** The file it was made from. */
  readonly source: string;
  /** Copies what a checkpoint needs; a tokenizer.json is written where there is none. */
  save(target: string): Promise<void>;
}

/**
 * tokenizer.json if there is one, as it says everything; else tokenizer.model, else vocab.json with merges.txt, each with
 * tokenizer_config.json, added_tokens.json and special_tokens_map.json beside it.
 *
 * @throws DataError E_TOKENIZER_READ, E_TOKENIZER_FORMAT, E_TOKENIZER_ADDED, E_TOKENIZER_CLASS, E_SENTENCEPIECE_*
 */
export async function readTokenizerFolder(dir: string): Promise<FolderTokenizer> {
  const path = join(dir, TOKENIZER_FILE);
  if (await exists(path)) {
    const json = await parse(path);
    return { json, source: path, save: (target) => copyFiles(dir, target) };
  }
  const form = (await exists(join(dir, MODEL_FILE))) ? MODEL_FILE : VOCAB_FILE;
  const source = join(dir, form);
  if (!(await exists(source))) {
    throw new DataError(
      'E_TOKENIZER_READ',
      `tokenizer of ${dir} cannot be read: it has none of ${TOKENIZER_FILE}, ${MODEL_FILE}, ${VOCAB_FILE}`,
      {
        hint: 'the directory of a language model must hold a tokenizer.json, a tokenizer.model, or vocab.json and merges.txt',
      },
    );
  }
  const added = await readAddedTokens(dir);
  const json = form === MODEL_FILE ? await fromModel(dir, source, added) : await fromVocab(dir, source, added);
  const save = async (target: string) => {
    await copyFiles(dir, target);
    await writeTokenizer(json, target);
  };
  return { json, source, save };
}

export async function writeTokenizer(json: object, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await writeFile(join(target, TOKENIZER_FILE), JSON.stringify(json));
}

async function fromModel(dir: string, source: string, added: AddedTokens): Promise<object> {
  // Before it is read: what is no tokenizer may be as large as a checkpoint.
  checkModelBytes((await stat(source)).size, source);
  const model = readSentencePiece(await readFile(source), source);
  const names = new Set(model.pieces.map(({ text }) => text));
  checkSpecialNames(added, (name) => names.has(name), source);
  if (added.tokens.length > 0) return sentencePieceJson(model, added.tokens, source);
  const implied = await impliedTokens(dir, model.pieces);
  if (implied !== undefined) log.info(`${source}: no file beside it names added tokens; ${implied.why}`);
  return sentencePieceJson(model, implied?.tokens ?? [], source);
}

async function fromVocab(dir: string, source: string, added: AddedTokens): Promise<object> {
  const { tokens, tokenizerClass } = added;
  if (tokenizerClass === undefined || !/^Qwen2Tokenizer(Fast)?$/.test(tokenizerClass)) {
    throw new DataError(
      'E_TOKENIZER_CLASS',
      `${source}: tokenizer_class of tokenizer_config.json: got ${tokenizerClass ?? 'none'}, expected Qwen2Tokenizer`,
      {
        hint: "vocab.json says nothing of how text is split; give the checkpoint's tokenizer.json or tokenizer_config.json",
      },
    );
  }
  if (tokens.length === 0) {
    throw new DataError(
      'E_TOKENIZER_ADDED',
      `${source}: got no added tokens, expected those of tokenizer_config.json`,
      {
        hint: 'added_tokens_decoder in tokenizer_config.json, or added_tokens.json, gives the ids of <|im_start|> and others',
      },
    );
  }
  return readQwen2Json(dir, added);
}

async function parse(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new DataError('E_TOKENIZER_READ', `tokenizer ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of [TOKENIZER_FILE, ...COMPANION_FILES]) {
    // Not copyFile: a copy of a read-only file could not be written over.
    const content = await readFile(join(from, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (content !== undefined) await writeFile(join(to, name), content);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
