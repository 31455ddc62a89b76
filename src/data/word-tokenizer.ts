/** The words and punctuation marks that a tokenizer.json with BertPreTokenizer splits a text into. */
const PIECE = /[^\s\p{P}$+<=>^`|~]+|[\p{P}$+<=>^`|~]/gu;
const FIRST_PRINTABLE = 0x21;
const LAST_PRINTABLE = 0x7e;
const MAX_WORD_CHARS = 100;

export const UNKNOWN_TOKEN = '<unk>';
/** Control tokens of every prompt template. */
export const TEMPLATE_TOKENS = ['<s>', '</s>', '<|im_start|>', '<|im_end|>'] as const;

export interface WordTokenizerOptions {
  /** Control tokens after <unk>; default: those of every prompt template. */
  readonly specials?: readonly string[];
  /** Words seen less often are spelled by characters; default 1. */
  readonly minCount?: number;
}

/**
 * A tokenizer.json (WordPiece) whose tokens are the words of `texts`, with single characters for other words and <unk>
 * for characters never seen. Letter case is kept: the option letter A is not the article.
 */
export function buildWordTokenizerJson(texts: Iterable<string>, options: WordTokenizerOptions = {}): object {
  const specials = [UNKNOWN_TOKEN, ...(options.specials ?? TEMPLATE_TOKENS)];
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [piece] of text.normalize('NFC').matchAll(PIECE)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  const characters = new Set<string>();
  for (let code = FIRST_PRINTABLE; code <= LAST_PRINTABLE; code++) characters.add(String.fromCharCode(code));
  for (const word of counts.keys()) for (const character of word) characters.add(character);
  const words = [...counts].filter(([, count]) => count >= (options.minCount ?? 1)).map(([word]) => word);
  const alphabet = [...characters].sort();
  const pieces = [...specials, ...words.sort(), ...alphabet, ...alphabet.map((character) => `##${character}`)];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'NFC' },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
    model: {
      type: 'WordPiece',
      unk_token: UNKNOWN_TOKEN,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: MAX_WORD_CHARS,
      vocab: Object.fromEntries([...new Set(pieces)].map((piece, id) => [piece, id])),
    },
  };
}
