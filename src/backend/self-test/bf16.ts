/** bf16 on the host side of a copy: the upper half of a float, rounded to nearest, ties to even. */

export function bf16Bits(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(values, (value, i) => {
    const word = words[i] ?? 0;
    if (Number.isNaN(value)) return (word >>> 16) | 0x40;
    return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  });
}

export function floatsOfBf16(bits: Uint16Array): Float32Array {
  const words = Uint32Array.from(bits, (half) => half << 16);
  return new Float32Array(words.buffer);
}

export function roundToBf16(values: Float32Array): Float32Array {
  return floatsOfBf16(bf16Bits(values));
}
