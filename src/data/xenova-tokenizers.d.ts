/**
 * The part of @xenova/transformers 2.17 that is used. Its tokenizer module is imported directly: the package's entry
 * also loads image and model code that nothing here needs.
 */
declare module '@xenova/transformers/src/tokenizers.js' {
  export class PreTrainedTokenizer {
    constructor(tokenizerJson: object, tokenizerConfig: object);
    readonly model: {
      /** BPE models remember every text they ever saw. */
      readonly cache?: Map<string, string[]>;
      readonly tokens_to_ids: Map<string, number>;
      /** Pieces by id; has holes. */
      readonly vocab: (string | undefined)[];
      /** BPE: pieces of one stretch of text. Ours takes its place, see `openEngine`. */
      bpe?: (text: string) => string[];
    };
    /** What splits texts at added tokens; null: nothing does. */
    added_tokens_regex: RegExp | null;
    /** An id is undefined where a character is in no piece and there is no unknown token. */
    encode(text: string, textPair: null, options: { add_special_tokens: boolean }): (number | undefined)[];
    /** Throws on an empty list. */
    decode(
      ids: readonly number[],
      options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
    ): string;
  }
}
