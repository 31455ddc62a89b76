import { DataError } from '../../base/errors.js';

/** Values of SentencePiece.Type. */
export const PIECE_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Piece {
  readonly text: string;
  readonly score: number;
  /** One of PIECE_TYPE. */
  readonly type: number;
}

const BYTES = 256;
const TYPES: ReadonlySet<number> = new Set(Object.values(PIECE_TYPE));

/** Name of a byte's piece. */
export function bytePiece(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/**
 * Refuses a vocabulary that SentencePiece would refuse too, or that a table of merges cannot stand for.
 *
 * @returns the id of the unknown piece
 * @throws DataError E_SENTENCEPIECE_PIECES
 */
export function checkPieces(pieces: readonly Piece[], byteFallback: boolean, source: string): number {
  const wrong = (got: string, expected: string) =>
    new DataError('E_SENTENCEPIECE_PIECES', `${source}: got ${got}, expected ${expected}`);
  const ids = new Map<string, number>();
  let unknownId = -1;
  let numBytes = 0;
  for (const [id, { text, score, type }] of pieces.entries()) {
    const name = () => `piece ${id} ${JSON.stringify(text)}`;
    if (text === '') throw wrong(`an empty piece ${id}`, 'text');
    const twin = ids.get(text);
    if (twin !== undefined) throw wrong(`${name()} twice, also as ${twin}`, 'each piece once');
    ids.set(text, id);
    if (!Number.isFinite(score)) throw wrong(`${name()} with score ${score}`, 'a finite score');
    if (!TYPES.has(type)) throw wrong(`${name()} of type ${type}`, 'type 1 to 6');
    if (type === PIECE_TYPE.unused) throw wrong(`${name()} of type UNUSED`, 'pieces that are all in use');
    if (text.includes(' ')) throw wrong(`${name()} with a space`, 'U+2581 for a space');
    if (type === PIECE_TYPE.byte) numBytes++;
    if (type === PIECE_TYPE.unknown) {
      if (unknownId !== -1) throw wrong(`two unknown pieces, ${unknownId} and ${id}`, 'one');
      unknownId = id;
    }
  }
  if (unknownId === -1) throw wrong(`no unknown piece among ${pieces.length}`, 'one');
  if (numBytes !== (byteFallback ? BYTES : 0)) {
    throw wrong(`${numBytes} byte pieces with byte_fallback ${byteFallback}`, byteFallback ? `${BYTES}` : 'none');
  }
  for (let byte = 0; byteFallback && byte < BYTES; byte++) {
    const id = ids.get(bytePiece(byte));
    if (id === undefined || pieces[id]?.type !== PIECE_TYPE.byte) throw wrong(`no ${bytePiece(byte)}`, 'all 256 bytes');
  }
  checkCharacters(pieces, ids, wrong);
  return unknownId;
}

/** A merge joins two pieces: each character of a longer piece must be one, or the piece could not be reached. */
function checkCharacters(
  pieces: readonly Piece[],
  ids: ReadonlyMap<string, number>,
  wrong: (got: string, expected: string) => DataError,
): void {
  for (const { text, type } of pieces) {
    if (type !== PIECE_TYPE.normal || text.length === 1) continue;
    for (const character of text) {
      if (!ids.has(character)) {
        throw wrong(`piece ${JSON.stringify(text)} without a piece ${JSON.stringify(character)}`, 'all its characters');
      }
    }
  }
}
