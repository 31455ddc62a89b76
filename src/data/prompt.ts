/** Dialogues as token ids: what the model reads, and which tokens it learns to write. */
import { z } from 'zod';
import { DataError } from '../base/errors.js';
import { VISUAL_ID } from '../model/mimic-chat.js';
import { CHAT_TEMPLATES, END_OF_TEXT, IM_END, IM_START } from './prompt-templates.js';
import { OPTION_LETTERS } from './tasks/types.js';
import type { Tokenizer } from './tokenizer.js';

/** Label of a token that is read, not learnt. */
export const IGNORED_LABEL = -100;

export const PromptSchema = z
  .strictObject({
    template: z
      .enum(['plain', 'internvl2_5', 'internlm2-chat'])
      .default('internvl2_5')
      .describe('plain: questions and answers in a row; the others: ChatML as the pretrained checkpoint learnt it'),
    layout: z.enum(['paper', 'none']).default('paper').describe('paper: [VID] features [SEP] text; none: text alone'),
    wording: z.enum(['natural', 'terse']).default('natural').describe('prompts in full English, or a word a token'),
    systemPrompt: z.string().optional().describe("replaces the template's system prompt"),
  })
  .describe('how a dialogue becomes tokens');
export type PromptConfig = z.output<typeof PromptSchema>;

/** A question and its reply; the last turn has none at inference. */
export interface Turn {
  readonly prompt: string;
  readonly answer?: string;
}

/** Where visual features go. */
export interface VisualBlock {
  /** Visual tokens of the video. */
  readonly count: number;
  readonly vidId: number;
  readonly sepId: number;
}

export interface TokenizedSample {
  /** VISUAL_ID stands for a visual token. */
  readonly ids: Int32Array;
  /** The id to be predicted AT position i (not shifted); IGNORED_LABEL elsewhere. */
  readonly labels: Int32Array;
  readonly numVisual: number;
  /** Turn number of each supervised token, -1 elsewhere. */
  readonly answerTurn: Int32Array;
}

/**
 * Tokenizes a dialogue. Only answers and the token that ends each are supervised. Texts cannot spell control tokens.
 *
 * plain: `[VID] V.. [SEP] q1 a1 </s> q2 a2 </s>`. The chat templates follow InternVL's conversation.py: BOS, a system
 * turn, then user and assistant turns between <|im_start|> and <|im_end|>; the visual block opens the first user turn.
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
  const block = config.layout === 'none' ? null : visual;
  if (config.template === 'plain') writePlain(writer, turns, block);
  else writeChat(writer, config.template, config.systemPrompt, turns, block);
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

/** Tokens that end an answer. */
export function stopIds(tokenizer: Tokenizer, config: Pick<PromptConfig, 'template'>): number[] {
  if (config.template === 'plain') return [tokenizer.special(END_OF_TEXT)];
  const ids = [tokenizer.special(IM_END), tokenizer.special(IM_START)];
  return tokenizer.hasSpecial(END_OF_TEXT) ? [...ids, tokenizer.special(END_OF_TEXT)] : ids;
}

function writePlain(writer: SampleWriter, turns: readonly Turn[], visual: VisualBlock | null): void {
  if (visual !== null) writer.visual(visual);
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
  visual: VisualBlock | null,
): void {
  const template = CHAT_TEMPLATES[name];
  const clean = (text: string) => (template.strip ? text.trim() : text);
  writer.beginOfText();
  writer.control(IM_START);
  writer.text(`system\n${clean(systemPrompt ?? template.systemPrompt)}`);
  writer.control(IM_END);
  for (const [turn, { prompt, answer }] of turns.entries()) {
    writer.text(template.afterTurn);
    writer.control(IM_START);
    writer.text('user\n');
    if (visual !== null && turn === 0) {
      writer.visual(visual);
      writer.text('\n');
    }
    writer.text(clean(prompt));
    writer.control(IM_END);
    writer.text(template.afterTurn);
    writer.control(IM_START);
    writer.text('assistant\n');
    if (answer !== undefined) writer.answer(clean(answer), IM_END, turn);
  }
}

/** Collects tokens; neighbouring texts are encoded as one, since a token may span their seam. */
class SampleWriter {
  private readonly ids: number[] = [];
  private readonly labels: number[] = [];
  private readonly answerTurn: number[] = [];
  private pending = '';
  private numVisual = 0;

  constructor(private readonly tokenizer: Tokenizer) {}

  text(text: string): void {
    this.pending += text;
  }

  control(name: string): void {
    this.flush();
    this.push(this.tokenizer.special(name));
  }

  /** BOS, for tokenizers that have one. */
  beginOfText(): void {
    if (this.tokenizer.hasSpecial('<s>')) this.control('<s>');
  }

  visual({ count, vidId, sepId }: VisualBlock): void {
    this.flush();
    this.push(vidId);
    for (let i = 0; i < count; i++) this.push(VISUAL_ID);
    this.push(sepId);
    this.numVisual += count;
  }

  /** Supervised; encoded apart from the prompt, as at inference the prompt is encoded without it. */
  answer(text: string, end: string, turn: number): void {
    this.flush();
    for (const id of [...this.tokenizer.encode(text), this.tokenizer.special(end)]) this.push(id, turn);
  }

  finish(): TokenizedSample {
    this.flush();
    return {
      ids: Int32Array.from(this.ids),
      labels: Int32Array.from(this.labels),
      numVisual: this.numVisual,
      answerTurn: Int32Array.from(this.answerTurn),
    };
  }

  private flush(): void {
    for (const id of this.tokenizer.encode(this.pending)) this.push(id);
    this.pending = '';
  }

  private push(id: number, turn = -1): void {
    this.ids.push(id);
    this.labels.push(turn === -1 ? IGNORED_LABEL : id);
    this.answerTurn.push(turn);
  }
}
