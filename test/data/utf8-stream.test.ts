import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Utf8Stream } from '../../src/data/utf8-stream.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The definition, with all bytes at hand: the character that starts here, or U+FFFD for one byte. */
function decodeAll(bytes: readonly number[]): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const size = [1, 2, 3, 4].find((size) => {
      try {
        return [...strict.decode(Uint8Array.from(bytes.slice(at, at + size)))].length === 1;
      } catch {
        return false;
      }
    });
    text += size === undefined ? '\uFFFD' : strict.decode(Uint8Array.from(bytes.slice(at, at + size)));
    at += size ?? 1;
  }
  return text;
}

describe('Utf8Stream', () => {
  it('decodes any bytes as the definition does, the bytes of broken characters one by one', () => {
    const byte = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0xe2, 0x96, 0x81, 0xf0, 0x9f, 0x90, 0xb1, 0xed, 0xa0, 0xc0, 0x80),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (bytes) => {
        const stream = new Utf8Stream();
        expect(bytes.map((byte) => stream.push(byte)).join('') + stream.end()).toBe(decodeAll(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it('gives a character with its last byte, and U+FFFD once bytes cannot be completed', () => {
    const stream = new Utf8Stream();
    const push = (...bytes: number[]) => bytes.map((byte) => stream.push(byte));
    expect(push(0xf0, 0x9f, 0x90, 0xb1)).toEqual(['', '', '', '🐱']);
    expect(push(0xf0, 0x9f, 0x41)).toEqual(['', '', '\uFFFD\uFFFDA']);
    expect(push(0xff, 0xef, 0xbb, 0xbf)).toEqual(['\uFFFD', '', '', '\uFEFF']);
    expect(push(0xe4, 0xbd)).toEqual(['', '']);
    expect(stream.end()).toBe('\uFFFD\uFFFD');
    expect(stream.end()).toBe('');
  });
});
