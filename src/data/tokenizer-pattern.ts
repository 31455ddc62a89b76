/** Regular expressions of a tokenizer.json, written for Oniguruma, as JavaScript reads them. */
import { DataError } from '../base/errors.js';

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
/** Without regard to case, s is also U+017F (long s). JavaScript of Node 20 has no group of its own for case. */
const CONTRACTIONS_SPELLED = "(?:'(?:[sS\u017F]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))";

/** JavaScript's \s has U+FEFF and lacks U+0085; Oniguruma's is Unicode's White_Space. */
export function toJavaScriptPattern(pattern: string): string {
  return pattern
    .replaceAll(CONTRACTIONS, CONTRACTIONS_SPELLED)
    .replace(/\\\\|\\s/g, (found) => (found === '\\s' ? '\\p{White_Space}' : found))
    .replace(/\\\\|\\S/g, (found) => (found === '\\S' ? '\\P{White_Space}' : found));
}

/**
 * A pre-tokenizer with the patterns of its Split parts rewritten.
 *
 * @throws DataError E_TOKENIZER_FORMAT for a split behaviour other than Isolated, or a pattern that cannot be read
 */
export function adaptPreTokenizer(value: unknown, source: string): unknown {
  if (!isRecord(value)) return value;
  if (Array.isArray(value['pretokenizers']))
    return { ...value, pretokenizers: value['pretokenizers'].map((part) => adaptPreTokenizer(part, source)) };
  if (value['type'] !== 'Split') return value;
  const { behavior, invert, pattern } = value;
  const isolated = String(behavior).toLowerCase() === 'isolated' && invert !== true;
  const matches = String(behavior).toLowerCase() === 'removed' && invert === true;
  if (!isolated && !matches)
    throw wrong(source, `Split with behavior ${behavior}`, 'Isolated, or Removed and inverted');
  if (!isRecord(pattern) || typeof pattern['Regex'] !== 'string') return value;
  const Regex = toJavaScriptPattern(pattern['Regex']);
  try {
    new RegExp(Regex, 'gu');
  } catch (cause) {
    throw wrong(source, (cause as Error).message, 'a pattern that JavaScript reads too');
  }
  return { ...value, pattern: { Regex } };
}

function wrong(source: string, got: string, expected: string): DataError {
  return new DataError('E_TOKENIZER_FORMAT', `${source}: pre_tokenizer: got ${got}, expected ${expected}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
