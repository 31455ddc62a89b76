/** Dialogues as token ids: what the model reads, and which tokens it learns to write. */
import { z } from 'zod';
import { DataError } from '../base/errors.js';
import type { VisualBlock } from '../model/visual-block.js';
import { CHAT_TEMPLATES, END_OF_TEXT, IM_END, IM_START, STOP_TOKENS } from './prompt-templates.js';
import { SampleWriter, type TokenizedSample } from './sample-writer.js';
import { OPTION_LETTERS } from './tasks/types.js';
import type { Tokenizer } from './tokenizer.js';
import { VISUAL_LAYOUTS, writeVisual } from './visual-layout.js';

export type { VisualBlock } from '../model/visual-block.js';
export { IGNORED_LABEL, type TokenizedSample } from './sample-writer.js';

export const PromptSchema = z
  .strictObject({
    template: z
      .enum(['plain', 'internvl2_5', 'internlm2-chat'])
      .default('internvl2_5')
      .describe('plain: questions and answers in a row; the others: ChatML as the pretrained checkpoint learnt it'),
    layout: z
      .enum(VISUAL_LAYOUTS)
      .default('paper')
      .describe(
        'paper: [VID] features [SEP] text; internvl: a line `Frame1: <img>features</img>` a frame, as the pretrained ' +
          'checkpoint learnt it; none: text alone',
      ),
    wording: z.enum(['natural', 'terse']).default('natural').describe('prompts in full English, or a word a token'),
    systemPrompt: z
      .string()
      .optional()
      .describe(
        "replaces the template's system prompt; empty: no system turn, as in the chat template of -hf checkpoints",
      ),
  })
  .describe('how a dialogue becomes tokens');
export type PromptConfig = z.output<typeof PromptSchema>;

/** A question and its reply; the last turn has none at inference. */
export interface Turn {
  readonly prompt: string;
  readonly answer?: string;
}

/**
 * Tokenizes a dialogue. Only answers and the token that ends each are supervised. Texts cannot spell control tokens.
 *
 * plain: `[VID] V.. [SEP] q1 a1 </s> q2 a2 </s>`. The chat templates follow InternVL's conversation.py: BOS, a system
 * turn, then user and assistant turns between <|im_start|> and <|im_end|>; the visual block opens the first user turn. What
 * the block looks like is the layout's business: `writeVisual`.
 *
 * @param visual null for text alone; not used by layout 'none'
 * @throws DataError E_PROMPT_TURNS when a turn other than the last has no answer
 */
export function tokenizeSample(
  tokenizer: Tokenizer,
  config: PromptConfig,
  turns: readonly Turn[],
  visual: VisualBlock | null,
): TokenizedSample {
  const open = turns.findIndex(({ answer }) => answer === undefined);
  if (turns.length === 0 || (open !== -1 && open !== turns.length - 1)) {
    const got = turns.length === 0 ? 'no turn' : `none at turn ${open + 1} of ${turns.length}`;
    throw new DataError('E_PROMPT_TURNS', `dialogue: got ${got}, expected an answer to every turn but the last`);
  }
  const writer = new SampleWriter(tokenizer);
  const { layout, template } = config;
  const visualPart = visual === null || layout === 'none' ? null : () => writeVisual(writer, layout, visual);
  if (template === 'plain') writePlain(writer, turns, visualPart, layout === 'internvl' ? '\n' : '');
  else writeChat(writer, template, config.systemPrompt, turns, visualPart);
  return writer.finish();
}

/** Ids of A, B, C, D as the first token of an answer. */
export function letterIds(tokenizer: Tokenizer): number[] {
  const ids = OPTION_LETTERS.map((letter) => tokenizer.encode(letter));
  const single = ids.map(([id]) => id).filter((id) => id !== undefined);
  if (ids.some(({ length }) => length !== 1) || new Set(single).size !== OPTION_LETTERS.length) {
    throw new DataError(
      'E_TOKENIZER_LETTERS',
      `option letters: got ids ${JSON.stringify(ids)}, expected one of its own for each`,
      {
        hint: 'the tokenizer must hold the capital letters A to D as tokens',
      },
    );
  }
  return single;
}

/** Tokens that end an answer: the turn's own end, and every sign that the model goes on by itself. */
export function stopIds(tokenizer: Tokenizer, config: Pick<PromptConfig, 'template'>): number[] {
  if (config.template === 'plain') return [tokenizer.special(END_OF_TEXT)];
  const optional = STOP_TOKENS.filter((name) => tokenizer.hasSpecial(name));
  return [IM_END, IM_START, ...optional].map((name) => tokenizer.special(name));
}

function writePlain(
  writer: SampleWriter,
  turns: readonly Turn[],
  visualPart: (() => void) | null,
  afterVisual: string,
): void {
  if (visualPart !== null) {
    visualPart();
    writer.text(afterVisual);
  }
  for (const [turn, { prompt, answer }] of turns.entries()) {
    writer.text(prompt);
    if (answer !== undefined) writer.answer(answer, END_OF_TEXT, turn);
  }
}

function writeChat(
  writer: SampleWriter,
  name: keyof typeof CHAT_TEMPLATES,
  systemPrompt: string | undefined,
  turns: readonly Turn[],
  visualPart: (() => void) | null,
): void {
  const template = CHAT_TEMPLATES[name];
  const clean = (text: string) => (template.strip ? text.trim() : text);
  writer.beginOfText();
  const system = systemPrompt ?? template.systemPrompt;
  if (system !== '') {
    writer.control(IM_START);
    writer.text(`system\n${clean(system)}`);
    writer.control(IM_END);
    writer.text(template.afterTurn);
  }
  for (const [turn, { prompt, answer }] of turns.entries()) {
    if (turn > 0) writer.text(template.afterTurn);
    writer.control(IM_START);
    writer.text('user\n');
    if (visualPart !== null && turn === 0) {
      visualPart();
      // The turn as a whole is stripped, and it begins with the visual block.
      writer.text(template.strip ? `\n${prompt.trimEnd()}` : `\n${prompt}`);
    } else {
      writer.text(clean(prompt));
    }
    writer.control(IM_END);
    writer.text(template.afterTurn);
    writer.control(IM_START);
    writer.text('assistant\n');
    if (answer !== undefined) writer.answer(clean(answer), IM_END, turn);
  }
}
