import { describe, expect, it } from 'vitest';
import { type GenerateOptions, type GenerationEvent, generate } from '../../src/infer/generate.js';
import { certain, MockSequence } from './mock-sequence.js';

const V = 32;
const options: GenerateOptions = {
  temperature: 1,
  topP: 1,
  topK: 0,
  repetitionPenalty: 1,
  seed: 7,
  maxTokens: 8,
  n: 1,
  stopIds: [0],
};
/** Counts up from the last id and stops (id 0) after V - 1. */
const countUp = (ids: readonly number[]) => certain(((ids.at(-1) ?? 0) + 1) % V, V);
const uniform = () => new Float32Array(V);

async function collect(events: AsyncIterable<GenerationEvent>): Promise<GenerationEvent[]> {
  const all: GenerationEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
const idsOf = (events: GenerationEvent[], candidate = 0) =>
  events.flatMap((event) => ('id' in event && event.candidate === candidate ? [event.id] : []));

describe('generate', () => {
  it('continues prefix and prompt until the stop token, which it does not yield', async () => {
    const prefix = MockSequence.start(countUp, [20]);
    const events = await collect(generate(prefix, [28], { ...options, temperature: 0 }));
    expect(events).toEqual([
      { candidate: 0, id: 29 },
      { candidate: 0, id: 30 },
      { candidate: 0, id: 31 },
      { candidate: 0, finish: 'stop' },
    ]);
  });

  it('leaves the prefix untouched and disposes every fork', async () => {
    const prefix = MockSequence.start(countUp, [20]);
    await collect(generate(prefix, [1, 2], { ...options, n: 3 }));
    expect(prefix.ids).toEqual([20]);
    expect(prefix.live.count).toBe(1);
  });

  it('ends at maxTokens without computing a token nobody reads', async () => {
    const prefix = MockSequence.start(countUp, [1]);
    const events = await collect(generate(prefix, [1], { ...options, maxTokens: 3 }));
    expect(idsOf(events)).toEqual([2, 3, 4]);
    expect(events.at(-1)).toEqual({ candidate: 0, finish: 'length' });
    expect(prefix.live.appended).toBe(1 + 2); // the prompt, then two of the three tokens
  });

  it('computes the prompt once for n candidates', async () => {
    const prefix = MockSequence.start(uniform);
    await collect(generate(prefix, [5, 6, 7], { ...options, n: 4, maxTokens: 1, stopIds: [] }));
    expect(prefix.live.appended).toBe(3);
  });

  it('gives candidates independent first tokens', async () => {
    // 24 uniform draws over 32 ids: all equal by chance with probability 32^-23 < 1e-34.
    const events = await collect(
      generate(MockSequence.start(uniform), [5], { ...options, n: 24, maxTokens: 1, stopIds: [] }),
    );
    expect(new Set(events.flatMap((event) => ('id' in event ? [event.id] : []))).size).toBeGreaterThan(1);
  });

  it('gives candidate i the same tokens for a seed, whatever n is', async () => {
    const run = async (n: number, seed = 7) =>
      collect(generate(MockSequence.start(uniform), [5], { ...options, n, seed }));
    const three = await run(3);
    expect(idsOf(await run(1))).toEqual(idsOf(three, 0));
    expect(idsOf(await run(2), 1)).toEqual(idsOf(three, 1));
    expect(await run(3, 8)).not.toEqual(three);
  });

  it('lets the repetition penalty see generated tokens only', async () => {
    // Token 9 leads while unseen (4 against 3); once generated its logit is 4 / 2. The prompt's 9 does not count.
    const logits = Float32Array.from({ length: V }, (_, id) => (id === 9 ? 4 : id === 3 ? 3 : 0));
    const greedy = { ...options, temperature: 0, repetitionPenalty: 2, maxTokens: 2 };
    const events = await collect(
      generate(
        MockSequence.start(() => logits),
        [9],
        greedy,
      ),
    );
    expect(idsOf(events)).toEqual([9, 3]);
  });

  it('throws the abort reason before the next token and disposes its forks', async () => {
    const prefix = MockSequence.start(uniform);
    const controller = new AbortController();
    const seen: GenerationEvent[] = [];
    const run = async () => {
      for await (const event of generate(prefix, [5], {
        ...options,
        stopIds: [],
        maxTokens: 1000,
        signal: controller.signal,
      })) {
        seen.push(event);
        if (seen.length === 3) controller.abort(new Error('the client left'));
      }
    };
    await expect(run()).rejects.toThrow('the client left');
    expect(seen).toHaveLength(3);
    expect(prefix.live.count).toBe(1);
  });

  it('computes nothing when already aborted', async () => {
    const prefix = MockSequence.start(uniform);
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(collect(generate(prefix, [5], { ...options, signal }))).rejects.toThrow('too late');
    expect(prefix.live.appended).toBe(0);
  });

  it('disposes its forks when the consumer stops early', async () => {
    const prefix = MockSequence.start(uniform);
    for await (const _event of generate(prefix, [5], { ...options, n: 2 })) break;
    expect(prefix.live.count).toBe(1);
  });

  it('disposes its forks when the model fails', async () => {
    const prefix = MockSequence.start((ids) => (ids.length > 3 ? new Float32Array(V).fill(Number.NaN) : countUp(ids)));
    await expect(collect(generate(prefix, [5], options))).rejects.toThrow('logit of token 0 is NaN');
    expect(prefix.live.count).toBe(1);
  });

  it('lets other work run between two tokens', async () => {
    let ticks = 0;
    let running = true;
    const tick = () => {
      ticks++;
      if (running) setImmediate(tick);
    };
    setImmediate(tick);
    await collect(generate(MockSequence.start(uniform), [5], { ...options, stopIds: [], maxTokens: 20 }));
    running = false;
    expect(ticks).toBeGreaterThanOrEqual(20);
  });

  it.each([
    [{ maxTokens: 0 }, 'maxTokens: got 0, expected an integer >= 1'],
    [{ n: 1.5 }, 'n: got 1.5, expected an integer >= 1'],
    [{ topP: 2 }, 'topP: got 2, expected a number in (0, 1]'],
  ])('refuses %j', async (wrong, message) => {
    await expect(collect(generate(MockSequence.start(uniform), [5], { ...options, ...wrong }))).rejects.toThrow(
      message,
    );
  });
});
