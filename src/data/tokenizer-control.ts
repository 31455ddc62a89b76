/**
 * Tokens that only a prompt template may write, whatever a file says of them: a file that forgets to mark one as special
 * must not let a user's text end a turn or stand for an image.
 *
 * @source OpenGVLab InternVL2.5, added_tokens.json and tokenizer_config.json; Qwen2.5 tokenizer_config.json
 */
export const INTERNLM2_CHAT_TOKENS = [
  '<|plugin|>',
  '<|interpreter|>',
  '<|action_end|>',
  '<|action_start|>',
  '<|im_end|>',
  '<|im_start|>',
] as const;

export const INTERNVL_IMAGE_TOKENS = [
  '<img>',
  '</img>',
  '<IMG_CONTEXT>',
  '<quad>',
  '</quad>',
  '<ref>',
  '</ref>',
  '<box>',
  '</box>',
] as const;

const CONTROL_TOKENS: ReadonlySet<string> = new Set([
  ...INTERNLM2_CHAT_TOKENS,
  ...INTERNVL_IMAGE_TOKENS,
  '<s>',
  '</s>',
  '<unk>',
  '<|endoftext|>',
]);

/** Whether a file may name the token as the one for unknown characters: text then writes it. */
export function canBeUnknown(content: string): boolean {
  return content === '<unk>' || !CONTROL_TOKENS.has(content);
}

export function isControlToken({ content, special }: { readonly content: string; readonly special: boolean }): boolean {
  return special || CONTROL_TOKENS.has(content);
}
