const REPLACEMENT = '\uFFFD';

export interface TextStream {
  /** @returns text that is now certain, possibly empty */
  push(id: number): string;
  /** @returns what was held back; the stream can start anew afterwards */
  end(): string;
}

/**
 * Decodes a growing sequence of tokens piece by piece.
 *
 * A token's text depends on the one before (a space, a byte of the same character), so each step decodes the tokens of
 * the last piece again and yields what the new ones add. Text that ends in U+FFFD may be half a character and waits.
 */
export class DecodeStream implements TextStream {
  private ids: number[] = [];
  /** Leading tokens of `ids` whose text was given out. */
  private given = 0;
  private givenText = '';

  constructor(private readonly decode: (ids: readonly number[]) => string) {}

  push(id: number): string {
    this.ids.push(id);
    const text = this.decode(this.ids);
    if (text.length <= this.givenText.length || text.endsWith(REPLACEMENT)) return '';
    return this.give(text);
  }

  end(): string {
    const rest = this.decode(this.ids).slice(this.givenText.length);
    this.ids = [];
    this.given = 0;
    this.givenText = '';
    return rest;
  }

  private give(text: string): string {
    const added = text.slice(this.givenText.length);
    this.ids = this.ids.slice(this.given);
    this.given = this.ids.length;
    this.givenText = this.decode(this.ids);
    return added;
  }
}
