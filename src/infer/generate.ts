/**
 * Autoregressive generation: one token at a time from a forked prefix, stoppable between any two tokens.
 */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { ConfigError } from '../base/errors.js';
import { Rng } from '../base/rng.js';
import type { TokenSequence } from './language-model.js';
import { checkDecodingOptions, type DecodingOptions, sampleToken } from './sampling.js';

export interface GenerateOptions extends DecodingOptions {
  readonly seed: number;
  /** Most tokens a candidate may have, stop token excluded. */
  readonly maxTokens: number;
  /** Candidates, one after the other; each has its own random stream, so candidate i is the same whatever n is. */
  readonly n: number;
  /** Tokens that end a candidate; they are not yielded. */
  readonly stopIds: readonly number[];
  /** Aborts before the next token; the generator then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Why a candidate ended: the model wrote a stop token, or `maxTokens` was reached. */
export type FinishReason = 'stop' | 'length';
export type GenerationEvent =
  | { readonly candidate: number; readonly id: number }
  | { readonly candidate: number; readonly finish: FinishReason };

/**
 * Yields the tokens of n candidates that continue `prefix` + `promptIds`, each closed by its finish reason.
 *
 * The prompt is computed once and forked n times. `prefix` is left as it was. The repetition penalty sees generated
 * tokens only: the words of a question are no repetition when the answer needs them. Every fork is disposed, also
 * when the consumer stops early.
 *
 * @throws ConfigError E_DECODING_RANGE, E_CONTEXT_LENGTH; the abort reason of `signal`
 */
export async function* generate(
  prefix: TokenSequence,
  promptIds: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<GenerationEvent, void, undefined> {
  checkDecodingOptions(options);
  checkCount('maxTokens', options.maxTokens);
  checkCount('n', options.n);
  options.signal?.throwIfAborted();
  const prompted = prefix.fork();
  try {
    const promptLogits_V = await prompted.append(promptIds);
    for (let candidate = 0; candidate < options.n; candidate++) {
      yield* generateOne(prompted, promptLogits_V, candidate, options);
    }
  } finally {
    prompted.dispose();
  }
}

async function* generateOne(
  prompted: TokenSequence,
  promptLogits_V: Float32Array,
  candidate: number,
  options: GenerateOptions,
): AsyncGenerator<GenerationEvent, void, undefined> {
  const rng = new Rng(options.seed, 'generate').fork(candidate);
  const generatedIds: number[] = [];
  const sequence = prompted.fork();
  try {
    let logits_V = promptLogits_V;
    for (;;) {
      await yieldToEventLoop();
      options.signal?.throwIfAborted();
      const id = sampleToken(logits_V, generatedIds, options, rng);
      if (options.stopIds.includes(id)) return yield { candidate, finish: 'stop' };
      generatedIds.push(id);
      yield { candidate, id };
      if (generatedIds.length === options.maxTokens) return yield { candidate, finish: 'length' };
      logits_V = await sequence.append([id]);
    }
  } finally {
    sequence.dispose();
  }
}

function checkCount(name: 'maxTokens' | 'n', value: number): void {
  if (!(Number.isInteger(value) && value >= 1)) {
    throw new ConfigError('E_DECODING_RANGE', `${name}: got ${value}, expected an integer >= 1`);
  }
}
