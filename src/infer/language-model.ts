/**
 * What text generation needs of a language model: a token sequence that can grow, tell its next token, and fork.
 *
 * `ModelSequence` implements it with MIMIC-Chat on a device; tests implement it with arithmetic.
 */
export interface TokenSequence {
  /** Tokens so far, visual ones included. */
  readonly length: number;
  /**
   * Appends at least one token and computes only the new positions.
   *
   * @returns logits_V of the token that follows, float32, caller owns it
   * @throws ConfigError E_CONTEXT_LENGTH when the sequence would outgrow the model's context
   */
  append(ids: readonly number[]): Promise<Float32Array>;
  /** An independent copy that shares the computed prefix; the caller disposes both. */
  fork(): TokenSequence;
  dispose(): void;
}
