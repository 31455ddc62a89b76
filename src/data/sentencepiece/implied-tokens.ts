/** Added tokens of a folder that holds nothing but tokenizer.model, from the config.json of its checkpoint. */
import { join } from 'node:path';
import { z } from 'zod';
import { type AddedToken, AddedTokenSchema, readJson } from '../tokenizer-added.js';
import { INTERNLM2_CHAT_TOKENS, INTERNVL_IMAGE_TOKENS } from '../tokenizer-control.js';
import { PIECE_TYPE, type Piece } from './pieces.js';

/** The spare pieces that InternLM2's chat tokens take the place of, in the order of INTERNLM2_CHAT_TOKENS. */
const FIRST_SPARE = 141;

const LanguageSchema = z.looseObject({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string().nullish(),
  vocab_size: z.int().nullish(),
});
const ConfigSchema = LanguageSchema.extend({ llm_config: LanguageSchema.nullish() });

/**
 * InternLM2's six chat tokens when config.json names that model, and InternVL's nine image tokens behind the vocabulary
 * when its vocab_size has room for exactly these.
 *
 * @returns undefined when config.json does not say so: the model then has its own pieces only
 */
export async function impliedTokens(
  dir: string,
  pieces: readonly Piece[],
): Promise<{ readonly tokens: AddedToken[]; readonly why: string } | undefined> {
  const config = await readJson(join(dir, 'config.json'), ConfigSchema);
  const language = config?.llm_config ?? config;
  const isInternlm2 =
    language?.model_type === 'internlm2' || language?.architectures?.includes('InternLM2ForCausalLM') === true;
  if (!isInternlm2) return undefined;
  const first = pieces.length - INTERNLM2_CHAT_TOKENS.length;
  const spare = INTERNLM2_CHAT_TOKENS.every((_, i) => {
    const piece = pieces[first + i];
    return piece?.text === `[UNUSED_TOKEN_${FIRST_SPARE + i}]` && piece.type === PIECE_TYPE.userDefined;
  });
  const more = (language?.vocab_size ?? 0) - pieces.length;
  const hasImages = more === INTERNVL_IMAGE_TOKENS.length;
  if (!spare || (more !== 0 && !hasImages)) return undefined;
  const names = hasImages ? [...INTERNLM2_CHAT_TOKENS, ...INTERNVL_IMAGE_TOKENS] : INTERNLM2_CHAT_TOKENS;
  return {
    tokens: names.map((content, i) => AddedTokenSchema.parse({ id: first + i, content, special: true })),
    why: `config.json is InternLM2's with vocab_size ${language?.vocab_size}: ${names.length} tokens of ${hasImages ? 'InternVL' : 'InternLM2'} are used`,
  };
}
