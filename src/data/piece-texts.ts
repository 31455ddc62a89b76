import type { PlainJson } from './tokenizer-file.js';

/** What each id says, for tokenizers whose pieces are text or bytes by themselves. */
export interface PieceTexts {
  /** Text, or bytes that may be part of a character; undefined for an id without a piece. */
  of(id: number): string | Uint8Array | undefined;
  /** Whether each byte that is no character is one U+FFFD, as in SentencePiece, or a broken-off sequence is. */
  readonly replaceEachByte: boolean;
  /** Spaces taken off the very beginning. */
  readonly stripStart: number;
}

const BYTE_PIECE = /^<0x[0-9A-Fa-f]{2}>$/;

/** @returns null for decoders that look at neighbours, such as WordPiece's */
export function pieceTexts(json: PlainJson, pieces: readonly (string | undefined)[]): PieceTexts | null {
  const parts = decoderParts(json.decoder);
  if (parts.length === 1 && parts[0]?.['type'] === 'ByteLevel') return byteLevel(json, pieces);
  return byteFallback(parts, pieces);
}

/** Sequence[Replace.., ByteFallback, Fuse, Strip?], as for SentencePiece models. */
function byteFallback(parts: readonly Part[], pieces: readonly (string | undefined)[]): PieceTexts | null {
  const types = parts.map(({ type }) => String(type)).join(' ');
  if (!/^(Replace )*ByteFallback Fuse( Strip)?$/.test(types)) return null;
  const replaced: [string, string][] = [];
  let stripStart = 0;
  for (const { type, pattern, content, start, stop } of parts) {
    if (type === 'Replace') {
      const from = isPart(pattern) ? pattern['String'] : undefined;
      if (typeof from !== 'string' || typeof content !== 'string') return null;
      replaced.push([from, content]);
    } else if (type === 'Strip') {
      if (content !== ' ' || typeof start !== 'number' || stop !== 0) return null;
      stripStart = start;
    }
  }
  return {
    replaceEachByte: true,
    stripStart,
    of(id) {
      const piece = pieces[id];
      if (piece === undefined) return undefined;
      if (piece.length === 6 && BYTE_PIECE.test(piece)) return Uint8Array.of(Number.parseInt(piece.slice(3, 5), 16));
      return replaced.reduce((text, [from, to]) => text.replaceAll(from, to), piece);
    },
  };
}

function byteLevel(json: PlainJson, pieces: readonly (string | undefined)[]): PieceTexts {
  const bytes = new Map(byteLevelAlphabet().map((character, byte) => [character, byte]));
  const added = new Set(json.added_tokens.map(({ id }) => id));
  return {
    replaceEachByte: false,
    stripStart: 0,
    of(id) {
      const piece = pieces[id];
      if (piece === undefined || added.has(id)) return piece;
      const found = new Uint8Array(piece.length);
      for (let at = 0; at < piece.length; at++) {
        const byte = bytes.get(piece.charAt(at));
        // A piece outside the alphabet stands for itself.
        if (byte === undefined) return piece;
        found[at] = byte;
      }
      return found;
    },
  };
}

/**
 * The printable characters that stand for the 256 bytes in byte-level BPE: Latin-1's visible ones for themselves, the
 * others from U+0100 on.
 *
 * @source openai/gpt-2, src/encoder.py: bytes_to_unicode
 */
export function byteLevelAlphabet(): string[] {
  let moved = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    return String.fromCharCode(visible ? byte : 256 + moved++);
  });
}

type Part = Readonly<Record<string, unknown>>;

function decoderParts(decoder: unknown): Part[] {
  if (!isPart(decoder)) return [];
  const inner = decoder['decoders'];
  return decoder['type'] === 'Sequence' && Array.isArray(inner) ? inner.flatMap(decoderParts) : [decoder];
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null;
}
