import { type PromptConfig, PromptSchema, type VisualBlock } from '../../src/data/prompt.js';
import { prefixIds, VideoSession } from '../../src/infer/video-session.js';
import { byteTokenizer, END_ID } from './byte-tokenizer.js';
import { certain, MockSequence, type NextLogits } from './mock-sequence.js';

export const V = byteTokenizer.vocabSize;
export const plainTerse: PromptConfig = PromptSchema.parse({ template: 'plain', wording: 'terse' });
export const visual: VisualBlock = { kind: 'video', spatial: [1, 1], temporal: 1, vidId: V, sepId: V + 1 };

export interface MockSession {
  readonly session: VideoSession;
  readonly prefix: MockSequence;
}

/** A session over a mock language model and a byte tokenizer. */
export function mockSession(
  nextLogits: NextLogits,
  prompt = plainTerse,
  block: VisualBlock | null = visual,
): MockSession {
  const context = { tokenizer: byteTokenizer, prompt, visual: block };
  const prefix = MockSequence.start(nextLogits, Array.from(prefixIds(context)));
  return { session: new VideoSession(prefix, context), prefix };
}

/** Writes `text` after any prompt that ends in "answer", then stops. */
export function writes(text: string): NextLogits {
  const reply = [...byteTokenizer.encode(text), END_ID];
  const cue = byteTokenizer.encode('answer');
  return (ids) => {
    const start = ids.findLastIndex((_, i) => cue.every((byte, j) => ids[i + j] === byte)) + cue.length;
    return certain(reply[ids.length - start] ?? END_ID, V);
  };
}
