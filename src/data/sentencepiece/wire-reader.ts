/** The protobuf wire format, read from bytes that nobody vouches for: every length is checked against what is left. */
import { DataError } from '../../base/errors.js';

export const WIRE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;
const WIRE_NAMES = ['varint', 'fixed64', 'length-delimited', 'group', 'group', 'fixed32', 'reserved', 'reserved'];
const MAX_VARINT_BYTES = 10;
/** 128 ** 7: an eighth byte could leave the integers that a double holds. */
const EXACT_VARINT_BYTES = 7;

export interface WireField {
  readonly number: number;
  readonly wire: number;
}

/**
 * Fields of one message, in order. A nested message gets a reader of its own, so depth is the caller's, never the file's.
 *
 * Errors: DataError E_SENTENCEPIECE_WIRE for bytes that are no protobuf message of the expected kind.
 */
export class WireReader {
  private readonly view: DataView;
  private at: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
    start = 0,
    private readonly end: number = bytes.length,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
  }

  /** @returns the next field's header, or undefined at the end of the message */
  next(): WireField | undefined {
    if (this.at === this.end) return undefined;
    const tag = this.varint();
    const number = Math.floor(tag / 8);
    if (number < 1 || number > 0x1fffffff) throw this.broken(`field number ${number}`, 'a number from 1 to 536870911');
    return { number, wire: tag % 8 };
  }

  /** A whole number; values past 2 ** 49 are refused, as no field here needs them. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= MAX_VARINT_BYTES; count++) {
      if (this.at >= this.end) throw this.broken('the end of the data inside a number', 'its last byte');
      const byte = this.bytes[this.at++] ?? 0;
      if (count > EXACT_VARINT_BYTES && (byte & 0x7f) !== 0) throw this.broken('a negative or huge number', '< 2^49');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw this.broken(`a number of over ${MAX_VARINT_BYTES} bytes`, `at most ${MAX_VARINT_BYTES}`);
  }

  float(): number {
    const at = this.take(4);
    return this.view.getFloat32(at, true);
  }

  /** Bounds of a string, bytes or nested message. */
  span(): { readonly start: number; readonly end: number } {
    const length = this.varint();
    const start = this.take(length);
    return { start, end: start + length };
  }

  message(what: string): WireReader {
    const { start, end } = this.span();
    return new WireReader(this.bytes, what, start, end);
  }

  skip({ number, wire }: WireField): void {
    if (wire === WIRE.varint) this.skipVarint();
    else if (wire === WIRE.fixed64) this.take(8);
    else if (wire === WIRE.lengthDelimited) this.span();
    else if (wire === WIRE.fixed32) this.take(4);
    else throw this.broken(`wire type ${wire} in field ${number}`, 'a varint, fixed or length-delimited field');
  }

  /** @throws DataError E_SENTENCEPIECE_WIRE when a known field has another wire type than its schema says */
  expect(field: WireField, wire: number): void {
    if (field.wire === wire) return;
    const got = WIRE_NAMES[field.wire] ?? 'unknown';
    throw this.broken(`field ${field.number} as ${got}`, WIRE_NAMES[wire] ?? 'another type');
  }

  private skipVarint(): void {
    for (let count = 1; count <= MAX_VARINT_BYTES; count++) if ((this.bytes[this.take(1)] ?? 0) < 0x80) return;
    throw this.broken(`a number of over ${MAX_VARINT_BYTES} bytes`, `at most ${MAX_VARINT_BYTES}`);
  }

  private take(count: number): number {
    const start = this.at;
    if (count > this.end - start) throw this.broken(`${this.end - start} bytes left`, `${count}`);
    this.at = start + count;
    return start;
  }

  private broken(got: string, expected: string): DataError {
    return new DataError(
      'E_SENTENCEPIECE_WIRE',
      `${this.what}, byte ${this.at}: got ${got}, expected ${expected}; the file is damaged or no SentencePiece model`,
      { hint: 'copy the file again, and compare its size and checksum with the source' },
    );
  }
}
