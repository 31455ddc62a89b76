/** Writes SentencePiece model files for tests: the protobuf fields that matter, nothing else. */
import { bytePiece, PIECE_TYPE, type Piece } from '../../../src/data/sentencepiece/pieces.js';

export interface ModelRules {
  /** By name of the proto's field; defaults are those of InternLM2's file. */
  readonly modelType?: number;
  readonly byteFallback?: boolean;
  readonly whitespaceAsSuffix?: boolean;
  readonly charsmap?: Uint8Array;
  readonly dummyPrefix?: boolean;
  readonly extraWhitespaces?: boolean;
  readonly escapeWhitespaces?: boolean;
}

export const META: readonly Piece[] = [
  { text: '<unk>', score: 0, type: PIECE_TYPE.unknown },
  { text: '<s>', score: 0, type: PIECE_TYPE.control },
  { text: '</s>', score: 0, type: PIECE_TYPE.control },
  ...Array.from({ length: 256 }, (_, byte) => ({ text: bytePiece(byte), score: 0, type: PIECE_TYPE.byte })),
];

export function normal(...texts: string[]): Piece[] {
  return texts.map((text, rank) => ({ text, score: -rank, type: PIECE_TYPE.normal }));
}

export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) | 128);
  }
}

export function delimited(number: number, content: Iterable<number>): number[] {
  const bytes = [...content];
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
}

export function number(field: number, value: number): number[] {
  return [...varint(field * 8), ...varint(value)];
}

export function piece({ text, score, type }: Piece): number[] {
  const float = new Uint8Array(new Float32Array([score]).buffer);
  const utf8 = new TextEncoder().encode(text);
  return delimited(1, [...delimited(1, utf8), ...varint(2 * 8 + 5), ...float, ...number(3, type)]);
}

export function model(pieces: readonly Piece[], rules: ModelRules = {}): Uint8Array {
  const trainer = [
    ...number(3, rules.modelType ?? 2),
    // Negative, as pad_id is where there is none.
    ...number(43, -1),
    ...number(24, Number(rules.whitespaceAsSuffix ?? false)),
    ...number(35, Number(rules.byteFallback ?? true)),
  ];
  const normalizer = [
    ...delimited(2, rules.charsmap ?? []),
    ...number(3, Number(rules.dummyPrefix ?? false)),
    ...number(4, Number(rules.extraWhitespaces ?? false)),
    ...number(5, Number(rules.escapeWhitespaces ?? true)),
  ];
  return Uint8Array.from([...pieces.flatMap(piece), ...delimited(2, trainer), ...delimited(3, normalizer)]);
}
