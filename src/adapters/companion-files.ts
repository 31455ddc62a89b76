/** Files that travel with weights: tokenizer, prompt template, preprocessing, the base's own config and code. */
import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../base/errors.js';

const TOKENIZER_FILES =
  /^(?:tokenizer\.json|tokenizer\.model|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|chat_template\.(?:jinja|json)|input\.json)$/;
/** Weights, run files, and the card of another model. */
const LEFT_BEHIND =
  /\.(?:safetensors|bin|pt|pth|pyth|ckpt|h5|onnx|gguf|msgpack|index\.json)$|^(?:config\.yaml|MANIFEST\.json|README.*|\..*)$/i;
const MAX_BYTES = 64 * 2 ** 20;

/** Refused before the long work, not after it. @throws ConfigError E_OUT_EXISTS */
export async function refuseUsedFolder(dir: string): Promise<void> {
  const entries = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new ConfigError('E_OUT_EXISTS', `--out ${dir}: expected a folder that is not there yet (${error.message}).`);
  });
  if (entries.length === 0) return;
  throw new ConfigError('E_OUT_EXISTS', `--out ${dir}: the folder holds ${entries.length} files, expected none.`, {
    hint: 'Give another folder, or remove this one.',
  });
}

/**
 * Copies what is beside the weights.
 *
 * @param dirs the last one wins
 * @param which the tokenizer's files alone, or everything that is neither weights nor a run's
 */
export async function copyCompanions(
  dirs: readonly string[],
  out: string,
  which: 'tokenizer' | 'all',
): Promise<string[]> {
  const copied = new Set<string>();
  for (const dir of dirs) {
    for (const name of await readdir(dir)) {
      if (which === 'tokenizer' ? !TOKENIZER_FILES.test(name) : LEFT_BEHIND.test(name)) continue;
      const found = await stat(join(dir, name));
      if (!found.isFile() || found.size > MAX_BYTES) continue;
      await copyFile(join(dir, name), join(out, name));
      copied.add(name);
    }
  }
  return [...copied];
}
