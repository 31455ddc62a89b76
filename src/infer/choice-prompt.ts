/** The words of a multiple-choice question of any caller, in the wording that the model was trained on. */
import { ConfigError, DataError } from '../base/errors.js';
import { choiceText, LETTERS, type Wording } from '../data/tasks/wording.js';
import type { Tokenizer } from '../data/tokenizer.js';

export const MIN_OPTIONS = 2;
export const MAX_OPTIONS = 8;

/**
 * The prompt for `question` and its options. A task's own question (terse: `title ?`) gives exactly the prompt that the
 * model was trained with.
 *
 * @throws ConfigError E_CHOICE_OPTIONS unless there are 2 to 8 options, none of them empty
 */
export function choicePrompt(question: string, options: readonly string[], wording: Wording): string {
  if (options.length < MIN_OPTIONS || options.length > MAX_OPTIONS || options.some((option) => option.trim() === '')) {
    const empty = options.findIndex((option) => option.trim() === '');
    const got = empty === -1 ? `${options.length}` : `an empty option ${LETTERS[empty] ?? empty + 1}`;
    throw new ConfigError('E_CHOICE_OPTIONS', `options: got ${got}, expected ${MIN_OPTIONS} to ${MAX_OPTIONS} texts`);
  }
  return choiceText(question, options, wording);
}

/**
 * Ids of the first `count` letters as the first token of an answer.
 *
 * @throws DataError E_TOKENIZER_LETTERS when a letter is not one token of its own
 */
export function letterTokenIds(tokenizer: Tokenizer, count: number): number[] {
  const encoded = LETTERS.slice(0, count).map((letter) => tokenizer.encode(letter));
  const ids = encoded.flatMap((tokens) => (tokens.length === 1 ? tokens : []));
  if (new Set(ids).size === count) return ids;
  throw new DataError(
    'E_TOKENIZER_LETTERS',
    `option letters: got ids ${JSON.stringify(encoded)}, expected one of its own for each`,
    {
      hint: `the tokenizer must hold the capital letters A to ${LETTERS[count - 1]} as tokens`,
    },
  );
}
