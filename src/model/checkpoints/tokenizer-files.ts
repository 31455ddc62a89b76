import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Any of them alone, or with vocab.json, makes a tokenizer; the others go along. */
const SUFFICIENT = ['tokenizer.json', 'tokenizer.model', 'merges.txt'];
const COMPANIONS = ['vocab.json', 'added_tokens.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/** The files of a folder that a tokenizer is read from; none when it holds no tokenizer. */
export function tokenizerFiles(dir: string): string[] {
  const present = (names: readonly string[]) => names.map((name) => join(dir, name)).filter((path) => existsSync(path));
  const sufficient = present(SUFFICIENT);
  return sufficient.length === 0 ? [] : [...sufficient, ...present(COMPANIONS)];
}
