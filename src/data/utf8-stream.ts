const REPLACEMENT = '\uFFFD';
/** Smallest code point that needs 1, 2, 3, 4 bytes. */
const SMALLEST = [0, 0x80, 0x800, 0x10000];

/**
 * Bytes that come one at a time, as text. A byte that cannot be part of a character becomes U+FFFD by itself, as
 * SentencePiece decodes (the Web's decoder makes one U+FFFD of a broken-off sequence); bytes that may yet be completed
 * are held back.
 */
export class Utf8Stream {
  private held: number[] = [];

  push(byte: number): string {
    this.held.push(byte);
    return this.take(false);
  }

  /** @returns U+FFFD for each byte that was held back */
  end(): string {
    return this.take(true);
  }

  private take(final: boolean): string {
    let text = '';
    while (this.held.length > 0) {
      const [lead = 0, ...rest] = this.held;
      const size = sequenceBytes(lead);
      const tail = rest.slice(0, size - 1);
      const possible = size > 0 && tail.every((byte) => (byte & 0xc0) === 0x80);
      if (possible && tail.length < size - 1 && !final) break;
      const code = possible && tail.length === size - 1 ? codePoint(lead, tail) : undefined;
      text += code === undefined ? REPLACEMENT : String.fromCodePoint(code);
      this.held.splice(0, code === undefined ? 1 : size);
    }
    return text;
  }
}

/** Bytes of the character that `lead` opens; 0 when it opens none. */
function sequenceBytes(lead: number): number {
  if (lead < 0x80) return 1;
  if ((lead & 0xe0) === 0xc0) return 2;
  if ((lead & 0xf0) === 0xe0) return 3;
  return (lead & 0xf8) === 0xf0 ? 4 : 0;
}

/** Undefined for a spelling that is longer than needed, a surrogate, or beyond Unicode. */
function codePoint(lead: number, tail: readonly number[]): number | undefined {
  const size = tail.length + 1;
  const code = tail.reduce((value, byte) => value * 64 + (byte & 0x3f), size === 1 ? lead : lead & (0x7f >> size));
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < (SMALLEST[size - 1] ?? 0) || surrogate || code > 0x10ffff ? undefined : code;
}
