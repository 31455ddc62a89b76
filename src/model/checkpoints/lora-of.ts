/** What adapters of the language model a file holds, from the names and shapes of its tensors. */
import { CheckpointError } from '../../base/errors.js';
import type { LanguageFamily, LoraTarget } from '../language-family.js';
import { linearsOf } from '../language-family.js';
import type { WeightSource } from '../weights/source.js';
import { plainNames } from './plain-names.js';

export interface LoraFound {
  readonly rank: number;
  /** In our names and order. */
  readonly targets: readonly LoraTarget[];
}

/** InternLM2 under Llama's names; q, k and v have no counterpart of their own. */
const LLAMA_TO_INTERNLM2: Readonly<Record<string, LoraTarget>> = {
  o_proj: 'wo',
  gate_proj: 'w1',
  up_proj: 'w3',
  down_proj: 'w2',
};
const ADAPTER = /(?:^|\.)language_model\..*\.([^.]+)\.lora_A\.weight$/;

/**
 * @returns undefined when there are none
 * @throws CheckpointError E_LORA_RANK when ranks differ between modules
 */
export function loraOf(source: Pick<WeightSource, 'path' | 'tensors'>, family: LanguageFamily): LoraFound | undefined {
  const ranks = new Map<number, string>();
  const leaves = new Set<string>();
  for (const [plain, { name, shape }] of plainNames(source.tensors).tensors) {
    const leaf = ADAPTER.exec(plain)?.[1];
    if (leaf === undefined) continue;
    leaves.add((family === 'internlm2' ? LLAMA_TO_INTERNLM2[leaf] : undefined) ?? leaf);
    ranks.set(shape[0] ?? 0, name);
  }
  const [rank, ...others] = ranks.keys();
  if (rank === undefined) return undefined;
  if (others.length > 0) {
    const list = Array.from(ranks, ([r, name]) => `${r} (${name})`).join(', ');
    throw new CheckpointError('E_LORA_RANK', `${source.path}: adapters of rank ${list}, expected one rank.`, {
      hint: 'Merge the adapter with PEFT, and load the merged model.',
    });
  }
  // A linear that the family does not have is reported with the tensors' names when they are planned.
  return { rank, targets: linearsOf(family).filter((target) => leaves.has(target)) };
}
