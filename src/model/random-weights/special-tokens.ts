/** Special tokens of both tokenizer families, in the order of their ids at the end of the vocabulary. */
import type { LanguageSizes } from './catalog.js';

const IMAGE_TOKENS = ['<img>', '</img>', '<IMG_CONTEXT>', '<quad>', '</quad>', '<ref>', '</ref>', '<box>', '</box>'];

const INTERNLM2_TOKENS = [
  ...['<|plugin|>', '<|interpreter|>', '<|action_end|>', '<|action_start|>', '<|im_end|>', '<|im_start|>'],
  ...IMAGE_TOKENS,
];

const QWEN2_TOKENS = [
  ...['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|object_ref_start|>', '<|object_ref_end|>', '<|box_start|>'],
  ...['<|box_end|>', '<|quad_start|>', '<|quad_end|>', '<|vision_start|>', '<|vision_end|>', '<|vision_pad|>'],
  ...['<|image_pad|>', '<|video_pad|>', '<tool_call>', '</tool_call>', '<|fim_prefix|>', '<|fim_middle|>'],
  ...['<|fim_suffix|>', '<|fim_pad|>', '<|repo_name|>', '<|file_sep|>'],
  ...IMAGE_TOKENS,
];

export interface SpecialToken {
  readonly id: number;
  readonly content: string;
}

/** The control tokens, ascending by id. InternLM2's first three come before its bytes. */
export function specialTokens({ family, vocab }: Pick<LanguageSizes, 'family' | 'vocab'>): SpecialToken[] {
  const last = family === 'internlm2' ? INTERNLM2_TOKENS : QWEN2_TOKENS;
  const atEnd = last.map((content, i) => ({ id: vocab - last.length + i, content }));
  if (family === 'qwen2') return atEnd;
  return [...['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content })), ...atEnd];
}

/** The nine tokens that InternVL added to its language model's tokenizer. */
export function imageTokens(sizes: Pick<LanguageSizes, 'family' | 'vocab'>): SpecialToken[] {
  return specialTokens(sizes).slice(-IMAGE_TOKENS.length);
}

export function tokenId(sizes: Pick<LanguageSizes, 'family' | 'vocab'>, content: string): number {
  const token = specialTokens(sizes).find((special) => special.content === content);
  if (token === undefined) throw new RangeError(`${sizes.family} has no special token ${content}`);
  return token.id;
}
