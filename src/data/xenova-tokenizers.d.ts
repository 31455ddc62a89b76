/**
 * The part of @xenova/transformers 2.17 that is used. Its tokenizer module is imported directly: the package's entry
 * also loads image and model code that nothing here needs.
 */
declare module '@xenova/transformers/src/tokenizers.js' {
  export class PreTrainedTokenizer {
    constructor(tokenizerJson: object, tokenizerConfig: object);
    /** BPE models remember every text they ever saw in `cache`. */
    readonly model: { readonly cache?: Map<string, string[]> };
    encode(text: string, textPair: null, options: { add_special_tokens: boolean }): number[];
    /** Throws on an empty list. */
    decode(
      ids: readonly number[],
      options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
    ): string;
  }
}
