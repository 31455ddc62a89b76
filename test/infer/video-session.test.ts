import { describe, expect, it } from 'vitest';
import { PromptSchema, tokenizeSample } from '../../src/data/prompt.js';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { prefixIds, VideoSession } from '../../src/infer/video-session.js';
import { VISUAL_ID } from '../../src/model/mimic-chat.js';
import { byteOf, byteTokenizer, END_ID } from './byte-tokenizer.js';
import { MockSequence } from './mock-sequence.js';
import { mockSession, plainTerse, V, visual, writes } from './mock-session.js';

async function textOf(pieces: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

describe('prefixIds', () => {
  it('is [VID] V [SEP] in the plain template', () => {
    const ids = prefixIds({ tokenizer: byteTokenizer, prompt: plainTerse, visual });
    expect(Array.from(ids)).toEqual([V, VISUAL_ID, VISUAL_ID, VISUAL_ID, V + 1]);
  });

  it('starts with the template up to the visual block in a chat template, and is empty without video', () => {
    const prompt = PromptSchema.parse({ template: 'internvl2_5' });
    const ids = Array.from(prefixIds({ tokenizer: byteTokenizer, prompt, visual }));
    expect(byteTokenizer.decode(ids.slice(0, -5)).endsWith('user\n')).toBe(true);
    expect(ids.slice(-5)).toEqual([V, VISUAL_ID, VISUAL_ID, VISUAL_ID, V + 1]);
    expect(prefixIds({ tokenizer: byteTokenizer, prompt, visual: null })).toHaveLength(0);
  });

  it('ends with the last </img> in the layout of InternVL: what follows is one text with the question', () => {
    const prompt = PromptSchema.parse({ template: 'internvl2_5', layout: 'internvl' });
    const ids = Array.from(prefixIds({ tokenizer: byteTokenizer, prompt, visual }));
    expect(ids.slice(-2)).toEqual([VISUAL_ID, byteTokenizer.special('</img>')]);
    expect(ids.filter((id) => id === VISUAL_ID)).toHaveLength(3);
  });
});

describe('VideoSession.choose', () => {
  it('softmaxes the logits of the option letters alone', async () => {
    const logits = new Float32Array(V).fill(50); // other tokens are likelier than any letter and play no part
    for (const [letter, p] of [
      ['A', 0.1],
      ['B', 0.6],
      ['C', 0.3],
    ] as const)
      logits[byteOf(letter)] = Math.log(p);
    const { session } = mockSession(() => logits);
    const { choice, letter, text, probabilities } = await session.choose('title ?', ['x', 'y', 'z']);
    expect({ choice, letter, text }).toEqual({ choice: 1, letter: 'B', text: 'y' });
    expect(probabilities.map((p) => p.toFixed(6))).toEqual(['0.100000', '0.600000', '0.300000']);
  });

  const forms = (['plain', 'internvl2_5', 'internlm2-chat'] as const).flatMap((template) =>
    (['paper', 'internvl'] as const).map((layout) => ({ template, layout })),
  );
  it.each(forms)(
    'feeds the model exactly the $template training prompt in the layout $layout',
    async ({ template, layout }) => {
      const prompt = PromptSchema.parse({ template, layout, wording: 'terse' });
      let seen: readonly number[] = [];
      const { session } = mockSession((ids) => {
        seen = [...ids];
        return new Float32Array(V);
      }, prompt);
      await session.choose('title ?', ['a cat', 'a dog']);
      const trained = tokenizeSample(
        byteTokenizer,
        prompt,
        [{ prompt: 'title ? A a cat B a dog answer', answer: 'A' }],
        visual,
      );
      const answerAt = trained.labels.findIndex((label) => label >= 0);
      expect(seen).toEqual(Array.from(trained.ids.subarray(0, answerAt)));
    },
  );

  it('answers many questions from one prefix and leaves no fork', async () => {
    const { session, prefix } = mockSession(() => new Float32Array(V));
    await Promise.all([1, 2, 3].map((i) => session.choose(`q${i} ?`, ['x', 'y'])));
    expect(prefix.length).toBe(5);
    expect(prefix.live.count).toBe(1);
    session.dispose();
    expect(prefix.live.count).toBe(0);
  });

  it('takes the first option on ties', async () => {
    const { session } = mockSession(() => new Float32Array(V));
    expect((await session.choose('q ?', ['x', 'y', 'z', 'w'])).choice).toBe(0);
  });

  it('refuses to work after dispose, which may be called twice', async () => {
    const { session } = mockSession(() => new Float32Array(V));
    session.dispose();
    session.dispose();
    await expect(session.choose('q ?', ['x', 'y'])).rejects.toThrow('the video session was used after dispose()');
  });

  it('cannot be given control tokens by the words of a question or an option', async () => {
    const tokenizer = await createTokenizer(buildWordTokenizerJson(['title ? A B answer </s> s']));
    let seen: readonly number[] = [];
    const prefix = MockSequence.start((ids) => {
      seen = [...ids];
      return new Float32Array(tokenizer.vocabSize);
    });
    const session = new VideoSession(prefix, { tokenizer, prompt: plainTerse, visual: null });
    await session.choose('title ? </s> <|im_start|>', ['<s> [VID]', '[SEP] <|im_end|>']);
    const controls = ['<s>', '</s>', '<|im_start|>', '<|im_end|>'].map((name) => tokenizer.special(name));
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter((id) => controls.includes(id) || id < 0 || id >= tokenizer.vocabSize)).toEqual([]);
  });
});

describe('VideoSession.comment', () => {
  it('streams text, never half a character', async () => {
    const { session } = mockSession(writes('h\u00e9 \u{1f600}!'));
    const pieces = await textOf(session.comment());
    expect(pieces.join('')).toBe('h\u00e9 \u{1f600}!');
    expect(pieces).toEqual(['h', '\u00e9', ' ', '\u{1f600}', '!']);
  });

  it('puts a line break between candidates', async () => {
    const { session } = mockSession(writes('ok'));
    expect((await textOf(session.comment({ n: 3 }))).join('')).toBe('ok\nok\nok');
  });

  it('says why each candidate ended', async () => {
    const { session } = mockSession(writes('abc'));
    const events = [];
    for await (const event of session.commentCandidates({ maxTokens: 2, n: undefined })) events.push(event);
    expect(events).toEqual([
      { candidate: 0, text: 'a' },
      { candidate: 0, text: 'b' },
      { candidate: 0, finish: 'length' },
    ]);
  });

  it('gives out what is held back when the length ends a candidate inside a character', async () => {
    const { session } = mockSession(writes('\u00e9'));
    expect((await textOf(session.comment({ maxTokens: 1 }))).join('')).toBe('\ufffd');
  });

  it('leaves no fork when the reader stops early', async () => {
    const { session, prefix } = mockSession(writes('abcdef'));
    for await (const _piece of session.comment()) break;
    expect(prefix.live.count).toBe(1);
  });
});

describe('VideoSession.generate', () => {
  it('continues the prompt it is given', async () => {
    let seen: readonly number[] = [];
    const { session } = mockSession((ids) => {
      seen = [...ids];
      const logits = new Float32Array(V);
      logits[END_ID] = 99;
      return logits;
    });
    expect(await textOf(session.generate('say hi', { temperature: 0 }))).toEqual([]);
    expect(byteTokenizer.decode(seen.slice(5))).toBe('say hi');
  });
});
