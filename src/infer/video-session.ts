/** One video, prefilled once, answering many questions: each runs on a fork of the visual prefix. */
import { ConfigError } from '../base/errors.js';
import { phase } from '../base/phases.js';
import { type PromptConfig, stopIds, tokenizeSample, type VisualBlock } from '../data/prompt.js';
import { LETTERS, promptText } from '../data/tasks/wording.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { VISUAL_ID } from '../model/mimic-chat.js';
import { choicePrompt, letterTokenIds } from './choice-prompt.js';
import { type FinishReason, type GenerateOptions, generate } from './generate.js';
import type { TokenSequence } from './language-model.js';
import { argmax, softmax } from './sampling.js';

export interface Choice {
  /** Index of the most likely option, the first one on ties. */
  readonly choice: number;
  readonly letter: string;
  readonly text: string;
  /** One an option, by the likelihood of its letter as the first answer token; they sum to 1 over the letters. */
  readonly probabilities: readonly number[];
}

export type WriteOptions = {
  readonly [K in Exclude<keyof GenerateOptions, 'stopIds'>]?: GenerateOptions[K] | undefined;
};

/** A piece of a candidate's text, or its end. */
export type CandidateEvent =
  | { readonly candidate: number; readonly text: string }
  | { readonly candidate: number; readonly finish: FinishReason };

/** Lively but on topic; the paper gives no figures for its comments. */
export const WRITE_DEFAULTS = {
  seed: 0,
  temperature: 0.8,
  topP: 0.9,
  topK: 0,
  repetitionPenalty: 1,
  maxTokens: 64,
  n: 1,
} as const satisfies WriteOptions;

export interface SessionContext {
  readonly tokenizer: Tokenizer;
  readonly prompt: PromptConfig;
  /** The visual block of the prefix; null for text alone. */
  readonly visual: VisualBlock | null;
}

export class VideoSession {
  private disposed = false;

  /**
   * @param prefix holds the first `prefix.length` tokens of every prompt: `prefixIds(context)`; owned by the session
   */
  constructor(
    private readonly prefix: TokenSequence,
    private readonly context: SessionContext,
  ) {}

  /**
   * Answers a question with one of 2 to 8 options, by the likelihood of the option letters in one forward pass.
   *
   * @throws ConfigError E_CHOICE_OPTIONS, E_CONTEXT_LENGTH, E_SESSION_DISPOSED
   */
  async choose(question: string, options: readonly string[]): Promise<Choice> {
    const prompt = choicePrompt(question, options, this.context.prompt.wording);
    const probabilities = await this.letterProbabilities(prompt, options.length);
    const choice = argmax(probabilities);
    return { choice, letter: LETTERS[choice] ?? '', text: options[choice] ?? '', probabilities };
  }

  /** Probabilities of the first `count` letters as the answer to `prompt`, normalised over those letters. */
  async letterProbabilities(prompt: string, count: number): Promise<number[]> {
    const letters = letterTokenIds(this.context.tokenizer, count);
    const fork = this.open().fork();
    try {
      const logits_V = await phase('answer', () => fork.append(this.suffixIds(prompt)));
      return Array.from(softmax(letters.map((id) => logits_V[id] ?? Number.NEGATIVE_INFINITY)));
    } finally {
      fork.dispose();
    }
  }

  /**
   * Logits after a prompt and after each token that follows it: what a comparison of two models needs.
   *
   * @param forced the tokens to follow; without them `count` of the most likely ones
   * @returns one vector of the vocabulary's size more than tokens
   */
  async promptLogits(
    prompt: string,
    { count, forced }: { readonly count: number; readonly forced?: readonly number[] },
  ): Promise<Float32Array[]> {
    const fork = this.open().fork();
    try {
      const logits = [await fork.append(this.suffixIds(prompt))];
      for (let i = 0; i < (forced?.length ?? count); i++) {
        logits.push(await fork.append([forced?.[i] ?? argmax(logits[i] ?? [])]));
      }
      return logits;
    } finally {
      fork.dispose();
    }
  }

  /** Writes comments as a viewer would, piece by piece; candidates follow each other, a line break between them. */
  comment(options: WriteOptions = {}): AsyncGenerator<string, void, undefined> {
    return joined(this.commentCandidates(options));
  }

  /** Answers a free prompt, as `comment` does. */
  generate(prompt: string, options: WriteOptions = {}): AsyncGenerator<string, void, undefined> {
    return joined(this.candidates(prompt, options));
  }

  /** `comment` with each piece's candidate and finish reason. */
  commentCandidates(options: WriteOptions = {}): AsyncGenerator<CandidateEvent, void, undefined> {
    const request = { id: '', videoId: '', videoPath: '', task: 'comment', references: [] } as const;
    return this.candidates(promptText(request, this.context.prompt.wording), options);
  }

  /** `generate` with each piece's candidate and finish reason. */
  async *candidates(prompt: string, options: WriteOptions = {}): AsyncGenerator<CandidateEvent, void, undefined> {
    const { tokenizer } = this.context;
    const filled = { ...WRITE_DEFAULTS, ...withoutAbsent(options), stopIds: stopIds(tokenizer, this.context.prompt) };
    let stream = tokenizer.stream();
    for await (const event of generate(this.open(), this.suffixIds(prompt), filled)) {
      const { candidate } = event;
      const text = 'id' in event ? stream.push(event.id) : stream.end();
      if (text !== '') yield { candidate, text };
      if ('finish' in event) {
        yield event;
        stream = tokenizer.stream();
      }
    }
  }

  /** Frees the prefix. Forks of calls in progress stay valid. */
  dispose(): void {
    if (!this.disposed) this.prefix.dispose();
    this.disposed = true;
  }

  private open(): TokenSequence {
    if (!this.disposed) return this.prefix;
    throw new ConfigError('E_SESSION_DISPOSED', 'the video session was used after dispose()', {
      hint: 'call encode again',
    });
  }

  /** What follows the prefix in the prompt of a fresh dialogue. */
  private suffixIds(prompt: string): number[] {
    return Array.from(promptIds(prompt, this.context).subarray(this.open().length));
  }
}

/**
 * Token ids that every prompt of a session starts with: all up to the control token that closes the visual block ([SEP], or
 * the last `</img>`), none without video. The line break behind `</img>` is left to the question, whose first token may
 * begin with it.
 */
export function prefixIds(context: SessionContext): Int32Array {
  if (context.visual === null) return new Int32Array(0);
  const ids = promptIds('', context);
  return ids.subarray(0, ids.lastIndexOf(VISUAL_ID) + 2);
}

function promptIds(prompt: string, { tokenizer, prompt: config, visual }: SessionContext): Int32Array {
  return tokenizeSample(tokenizer, config, [{ prompt }], visual).ids;
}

async function* joined(events: AsyncIterable<CandidateEvent>): AsyncGenerator<string, void, undefined> {
  let current = 0;
  for await (const event of events) {
    if (event.candidate !== current) yield '\n';
    current = event.candidate;
    if ('text' in event) yield event.text;
  }
}

/** Drops fields that are undefined, so that they do not hide defaults. */
function withoutAbsent<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
