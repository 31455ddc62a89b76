/** input.json of a folder made from a checkpoint: checked against the checkpoint's, then written anew. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INPUT_NAME, inputJson } from '../data/input-file.js';
import { checkInput, inputOfFolder } from '../data/input-fingerprint.js';
import { loadTokenizer } from '../data/tokenizer.js';
import type { FolderPlan } from '../model/checkpoints/model-folders.js';

/**
 * @param from the folder that the weights came from
 * @param out holds the tokenizer's files already
 * @throws CheckpointError E_INPUT_DRIFT when the tokenizer that travels is not the one of `from`'s input.json
 */
export async function writeInputFile(
  from: string,
  plan: Pick<FolderPlan, 'model' | 'config'>,
  out: string,
): Promise<void> {
  const input = inputOfFolder(from, plan, await loadTokenizer(out));
  if (existsSync(join(from, INPUT_NAME))) await checkInput(from, input);
  await writeFile(join(out, INPUT_NAME), inputJson(input));
}
