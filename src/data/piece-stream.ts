import type { TextStream } from './decode-stream.js';
import type { PieceTexts } from './piece-texts.js';
import { Utf8Stream } from './utf8-stream.js';

/**
 * Text of ids one at a time, for pieces that are text or bytes by themselves. Only bytes of a character that may yet be
 * completed are held back, at most three; a piece of text or the end makes U+FFFD of them.
 */
export class PieceStream implements TextStream {
  private bytes: ByteStream;
  private spacesToStrip: number;

  /** @param hidden ids that leave no text, and do not break a character that is split around them */
  constructor(
    private readonly texts: PieceTexts,
    private readonly hidden: (id: number) => boolean,
  ) {
    this.bytes = byteStream(texts);
    this.spacesToStrip = texts.stripStart;
  }

  push(id: number): string {
    const piece = this.hidden(id) ? undefined : this.texts.of(id);
    if (piece === undefined) return '';
    return this.stripped(typeof piece === 'string' ? this.bytes.end() + piece : this.bytes.push(piece));
  }

  end(): string {
    const rest = this.stripped(this.bytes.end());
    this.spacesToStrip = this.texts.stripStart;
    return rest;
  }

  private stripped(text: string): string {
    let from = 0;
    for (; this.spacesToStrip > 0 && from < text.length; this.spacesToStrip--) {
      if (text[from] === ' ') from++;
      else this.spacesToStrip = 1;
    }
    return text.slice(from);
  }
}

interface ByteStream {
  push(bytes: Uint8Array): string;
  end(): string;
}

function byteStream({ replaceEachByte }: PieceTexts): ByteStream {
  if (!replaceEachByte) {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return { push: (bytes) => decoder.decode(bytes, { stream: true }), end: () => decoder.decode() };
  }
  const stream = new Utf8Stream();
  return { push: (bytes) => [...bytes].map((byte) => stream.push(byte)).join(''), end: () => stream.end() };
}
