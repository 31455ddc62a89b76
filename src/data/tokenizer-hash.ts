/** SHA-256 of what a tokenizer does, whatever the files it was read from. */
import { createHash, type Hash } from 'node:crypto';
import type { TokenizerFile } from './tokenizer-file.js';

/** Fields of a tokenizer.json that plain encoding and decoding never read. */
const WITHOUT_EFFECT = new Set(['version', 'truncation', 'padding', 'post_processor']);

/** The order of keys does not matter, that of lists does (merges have ranks). */
export function tokenizerHash(file: TokenizerFile): string {
  const hash = createHash('sha256');
  const effective = Object.entries(file.plainJson).filter(([key]) => !WITHOUT_EFFECT.has(key));
  addCanonical(hash, Object.fromEntries(effective));
  addCanonical(hash, [...file.added].sort(byId));
  addCanonical(
    hash,
    [...file.controlIds].sort((a, b) => a - b),
  );
  addCanonical(hash, file.vocabSize);
  return hash.digest('hex');
}

const byId = (a: readonly [string, number], b: readonly [string, number]): number => a[1] - b[1];

function addCanonical(hash: Hash, value: unknown): void {
  if (Array.isArray(value)) {
    // Merges are a hundred thousand strings: one update for each would take longer than hashing them.
    if (value.every((item) => typeof item !== 'object' || item === null)) hash.update(JSON.stringify(value));
    else for (const item of value) addCanonical(hash.update(','), item);
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.every(([, inner]) => typeof inner !== 'object' || inner === null)) {
      hash.update(JSON.stringify(entries));
    } else {
      for (const [key, inner] of entries) addCanonical(hash.update(`${JSON.stringify(key)}:`), inner);
    }
  } else {
    hash.update(JSON.stringify(value) ?? 'undefined');
  }
}
