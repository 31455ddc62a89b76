/** Instruction-style turns as LLaVA and InternVL write them: `{"from": "human", "value": ".."}`, `{"from": "gpt", ..}`. */
import { z } from 'zod';
import type { Turn } from './prompt.js';

export const ConversationSchema = z
  .array(
    z.object({
      from: z.enum(['system', 'human', 'gpt']).describe('who speaks; a system turn only at the beginning'),
      value: z.string(),
    }),
  )
  .min(2);
export type Conversation = z.output<typeof ConversationSchema>;

/** What a record gives the conversation to talk about. */
export interface ConversationVisuals {
  readonly images: number;
  readonly video: 0 | 1;
}

export interface ConversationProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** One place of a video or picture at the beginning of the first human turn, with the label and line break around it. */
const LEADING = /^(?:(?:Image|Frame)-?\d+: ?)?<(image|video)>\n?/;
/** Half of LLaVA's pictures follow their question. */
const TRAILING = /\n<(image|video)>$/;
/** A line of its own is a placeholder even where the record has nothing to put there; elsewhere it may be a text's own tag. */
const OWN_LINE = /^<(image|video)>\n/;

/**
 * Turns alternate and end with an answer. Placeholders are optional; where they stand, they open the first human turn (one
 * picture's may end it), as many as there are pictures: the visual tokens go to the beginning.
 */
export function checkConversation(conversation: Conversation, visuals: ConversationVisuals): ConversationProblem[] {
  const problems: ConversationProblem[] = [];
  const first = conversation[0]?.from === 'system' ? 1 : 0;
  for (const [i, { from, value }] of conversation.entries()) {
    const expected = i < first ? 'system' : (i - first) % 2 === 0 ? 'human' : 'gpt';
    if (from !== expected) problems.push({ path: [i, 'from'], message: `got ${from}, expected ${expected}` });
    if (from === 'gpt' && value.trim() === '') {
      problems.push({ path: [i, 'value'], message: 'got an empty answer, expected what the model is to learn' });
    }
  }
  if ((conversation.length - first) % 2 !== 0) {
    problems.push({
      path: [conversation.length - 1, 'from'],
      message: 'a turn without an answer, expected gpt at the end',
    });
  }
  return [...problems, ...placeholderProblems(conversation, first, visuals)];
}

function placeholderProblems(
  conversation: Conversation,
  first: number,
  { images, video }: ConversationVisuals,
): ConversationProblem[] {
  const [kind, count] = images > 0 ? ['image', images] : ['video', video];
  const opening = conversation[first]?.value ?? '';
  const path = [first, 'value'];
  if (count === 0) {
    const [, orphan] = OWN_LINE.exec(opening) ?? [];
    return orphan === undefined ? [] : [{ path, message: `got <${orphan}>, and the record names none` }];
  }
  const { text, kinds } = withoutPlaceholders(opening);
  const problems: ConversationProblem[] = [];
  if (kinds.some((found) => found !== kind) || (kinds.length !== 0 && kinds.length !== count)) {
    const got = kinds.map((found) => `<${found}>`).join(' ');
    problems.push({ path, message: `got ${got}, expected none or ${count} <${kind}>, as many as the record has` });
  }
  for (const [i, { from, value }] of conversation.entries()) {
    if (from !== 'gpt' && (i === first ? text : value).includes(`<${kind}>`)) {
      const message = `got <${kind}> inside a text, expected it at the beginning of the first human turn`;
      problems.push({ path: [i, 'value'], message });
    }
  }
  return problems;
}

export interface Dialogue {
  readonly turns: readonly Turn[];
  /** Replaces the template's own. */
  readonly systemPrompt?: string;
}

/** The turns without placeholders: the visual block opens the first prompt by itself. */
export function dialogueOf(conversation: Conversation, { images, video }: ConversationVisuals): Dialogue {
  const [opening] = conversation;
  const system = opening?.from === 'system' ? opening.value : undefined;
  const spoken = conversation.slice(system === undefined ? 0 : 1);
  const turns: Turn[] = [];
  for (let i = 0; i + 1 < spoken.length; i += 2) {
    const prompt = spoken[i]?.value ?? '';
    const hasBlock = i === 0 && images + video > 0;
    turns.push({ prompt: hasBlock ? withoutPlaceholders(prompt).text : prompt, answer: spoken[i + 1]?.value ?? '' });
  }
  return { turns, ...(system === undefined ? {} : { systemPrompt: system }) };
}

/** Takes the placeholders off the beginning of a text, or one off its end. */
function withoutPlaceholders(text: string): { text: string; kinds: string[] } {
  const kinds: string[] = [];
  let rest = text;
  for (let match = LEADING.exec(rest); match !== null; match = LEADING.exec(rest)) {
    kinds.push(match[1] ?? '');
    rest = rest.slice(match[0].length);
  }
  const trailing = kinds.length === 0 ? TRAILING.exec(rest) : null;
  if (trailing === null) return { text: rest, kinds };
  return { text: rest.slice(0, trailing.index), kinds: [trailing[1] ?? ''] };
}
