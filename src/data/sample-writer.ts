import { VISUAL_ID } from '../model/mimic-chat.js';
import type { Tokenizer } from './tokenizer.js';

/** Label of a token that is read, not learnt. */
export const IGNORED_LABEL = -100;

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
 * Collects a sample's tokens. Neighbouring texts are encoded as one, since a token may span their seam; control tokens come
 * from here alone, never from a text.
 */
export class SampleWriter {
  private readonly ids: number[] = [];
  private readonly labels: number[] = [];
  private readonly answerTurn: number[] = [];
  private pending = '';
  private numVisual = 0;

  constructor(private readonly tokenizer: Tokenizer) {}

  text(text: string): void {
    this.pending += text;
  }

  /** @throws DataError E_TOKENIZER_SPECIAL when the tokenizer has no such token */
  control(name: string): void {
    this.id(this.tokenizer.special(name));
  }

  /** A token by its id: an input row of the model that no tokenizer knows. */
  id(id: number): void {
    this.flush();
    this.push(id);
  }

  /** BOS, for tokenizers that have one. */
  beginOfText(): void {
    if (this.tokenizer.hasSpecial('<s>')) this.control('<s>');
  }

  /** Places of the next `count` visual tokens. */
  visual(count: number): void {
    this.flush();
    for (let i = 0; i < count; i++) this.push(VISUAL_ID);
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
