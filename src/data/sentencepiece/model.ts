/**
 * A SentencePiece `.model` file: pieces, scores and the rules for text around them.
 *
 * @source google/sentencepiece, src/sentencepiece_model.proto (field numbers and defaults)
 */
import { DataError } from '../../base/errors.js';
import { checkPieces, PIECE_TYPE, type Piece } from './pieces.js';
import { WIRE, WireReader } from './wire-reader.js';

const MODEL_TYPES = ['', 'unigram', 'bpe', 'word', 'char'];
const BPE = 2;
/** Real models have up to 262 144 pieces. */
const MAX_PIECES = 2 ** 20;
const MAX_PIECE_BYTES = 4096;
const MAX_MODEL_BYTES = 64 * 2 ** 20;

export interface SentencePieceModel {
  /** By id. */
  readonly pieces: readonly Piece[];
  readonly unknownId: number;
  /** Whether a character without a piece becomes its UTF-8 bytes instead of the unknown piece. */
  readonly byteFallback: boolean;
}

interface Rules {
  modelType: number;
  byteFallback: boolean;
  whitespaceAsSuffix: boolean;
  charsmapBytes: number;
  dummyPrefix: boolean;
  extraWhitespaces: boolean;
  escapeWhitespaces: boolean;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a BPE model that takes text as it is: no normalisation, no space put in front, runs of spaces kept.
 *
 * @param source names the file in errors
 * @throws DataError E_SENTENCEPIECE_SIZE, E_SENTENCEPIECE_WIRE, E_SENTENCEPIECE_PIECES, E_SENTENCEPIECE_TYPE,
 *   E_SENTENCEPIECE_NORMALIZER
 */
export function readSentencePiece(bytes: Uint8Array, source: string): SentencePieceModel {
  checkModelBytes(bytes.length, source);
  const pieces: Piece[] = [];
  // The proto's defaults.
  const rules: Rules = {
    modelType: 1,
    byteFallback: false,
    whitespaceAsSuffix: false,
    charsmapBytes: 0,
    dummyPrefix: true,
    extraWhitespaces: true,
    escapeWhitespaces: true,
  };
  const reader = new WireReader(bytes, source);
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number > 5 || field.number === 4) {
      reader.skip(field);
      continue;
    }
    reader.expect(field, WIRE.lengthDelimited);
    if (field.number === 1) {
      if (pieces.length === MAX_PIECES) throw tooMany(source);
      pieces.push(readPiece(reader.message(`${source}, piece ${pieces.length}`), bytes, source, pieces.length));
    } else if (field.number === 2) readTrainer(reader.message(`${source}, trainer_spec`), rules);
    else readNormalizer(reader.message(`${source}, normalizer_spec`), rules, field.number === 3);
  }
  checkRules(rules, source);
  const unknownId = checkPieces(pieces, rules.byteFallback, source);
  return { pieces, unknownId, byteFallback: rules.byteFallback };
}

/** @throws DataError E_SENTENCEPIECE_SIZE */
export function checkModelBytes(size: number, source: string): void {
  if (size > 0 && size <= MAX_MODEL_BYTES) return;
  throw new DataError('E_SENTENCEPIECE_SIZE', `${source}: got ${size} bytes, expected 1 to ${MAX_MODEL_BYTES}`, {
    hint: 'a tokenizer.model has a few MB; an empty one is a download that broke off',
  });
}

function readPiece(reader: WireReader, bytes: Uint8Array, source: string, id: number): Piece {
  let text = '';
  let score = 0;
  let type: number = PIECE_TYPE.normal;
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 1) {
      reader.expect(field, WIRE.lengthDelimited);
      const { start, end } = reader.span();
      text = pieceText(bytes.subarray(start, end), source, id);
    } else if (field.number === 2) {
      reader.expect(field, WIRE.fixed32);
      score = reader.float();
    } else if (field.number === 3) {
      reader.expect(field, WIRE.varint);
      type = reader.varint();
    } else reader.skip(field);
  }
  return { text, score, type };
}

function pieceText(utf8: Uint8Array, source: string, id: number): string {
  if (utf8.length <= MAX_PIECE_BYTES) {
    try {
      return UTF8.decode(utf8);
    } catch {
      // Told below.
    }
  }
  const got = utf8.length > MAX_PIECE_BYTES ? `${utf8.length} bytes` : 'bytes that are not UTF-8';
  throw new DataError(
    'E_SENTENCEPIECE_PIECES',
    `${source}: piece ${id}: got ${got}, expected up to ${MAX_PIECE_BYTES} bytes of UTF-8`,
  );
}

function readTrainer(reader: WireReader, rules: Rules): void {
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 3 || field.number === 24 || field.number === 35) {
      reader.expect(field, WIRE.varint);
      const value = reader.varint();
      if (field.number === 3) rules.modelType = value;
      else if (field.number === 24) rules.whitespaceAsSuffix = value !== 0;
      else rules.byteFallback = value !== 0;
    } else reader.skip(field);
  }
}

/** The normalizer's switches; of the denormalizer only the character map counts. */
function readNormalizer(reader: WireReader, rules: Rules, isNormalizer: boolean): void {
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 2) {
      reader.expect(field, WIRE.lengthDelimited);
      const { start, end } = reader.span();
      rules.charsmapBytes += end - start;
    } else if (isNormalizer && field.number >= 3 && field.number <= 5) {
      reader.expect(field, WIRE.varint);
      const value = reader.varint() !== 0;
      if (field.number === 3) rules.dummyPrefix = value;
      else if (field.number === 4) rules.extraWhitespaces = value;
      else rules.escapeWhitespaces = value;
    } else reader.skip(field);
  }
}

function checkRules(rules: Rules, source: string): void {
  if (rules.modelType !== BPE) {
    const got = MODEL_TYPES[rules.modelType] || String(rules.modelType);
    throw new DataError('E_SENTENCEPIECE_TYPE', `${source}: model_type: got ${got}, expected bpe`, {
      hint: 'only BPE models are read; convert the tokenizer to a tokenizer.json whose model is BPE',
    });
  }
  const refused = [
    rules.charsmapBytes > 0 && `a character map of ${rules.charsmapBytes} bytes (such as nmt_nfkc)`,
    rules.dummyPrefix && 'add_dummy_prefix',
    rules.extraWhitespaces && 'remove_extra_whitespaces',
    !rules.escapeWhitespaces && 'escape_whitespaces off',
    rules.whitespaceAsSuffix && 'treat_whitespace_as_suffix',
  ].filter((rule) => rule !== false);
  if (refused.length === 0) return;
  throw new DataError(
    'E_SENTENCEPIECE_NORMALIZER',
    `${source}: got ${refused.join(', ')}; expected a model that takes text as it is, as InternLM2's does`,
    { hint: "give the checkpoint's tokenizer.json, if it has one, in the same folder" },
  );
}

function tooMany(source: string): DataError {
  return new DataError('E_SENTENCEPIECE_PIECES', `${source}: got over ${MAX_PIECES} pieces, expected at most that`);
}
