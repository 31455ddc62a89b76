/** 16-bit floats as bit patterns in a Uint16Array: widening is exact, narrowing rounds to nearest, ties to even. */

/** bfloat16 is the upper half of a float32. `out` has the length of `bits`. */
export function bfloat16ToFloat32(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
}

export function float32ToBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    const notANumber = (word & 0x7fffffff) > 0x7f800000;
    // A NaN must not round up into infinity: set its quiet bit and cut.
    bits[i] = notANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}

let float16Values: Float32Array | undefined;

/** Value of each of the 65,536 patterns: sign, 5 exponent bits of bias 15, 10 fraction bits. */
function float16Table(): Float32Array {
  return Float32Array.from({ length: 0x10000 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}

/** `out` has the length of `bits`. */
export function float16ToFloat32(bits: Uint16Array, out: Float32Array): void {
  float16Values ??= float16Table();
  for (let i = 0; i < bits.length; i++) out[i] = float16Values[bits[i] ?? 0] ?? 0;
}

/** Values from 65,520 on become infinity, as IEEE 754 rounding demands. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    bits[i] = ((word >>> 16) & 0x8000) | float16Magnitude(word & 0x7fffffff, Math.abs(values[i] ?? 0));
  }
  return bits;
}

const FLOAT32_INFINITY = 0x7f800000;
const FLOAT32_65520 = 0x477ff000;
const FLOAT32_2_POW_MINUS_14 = 0x38800000;

function float16Magnitude(word: number, magnitude: number): number {
  if (word > FLOAT32_INFINITY) return 0x7e00;
  if (word >= FLOAT32_65520) return 0x7c00;
  if (word < FLOAT32_2_POW_MINUS_14) return roundHalfToEven(magnitude * 2 ** 24);
  // Rebias the exponent from 127 to 15, then round away the 13 low fraction bits.
  return (word - 0x38000000 + 0xfff + ((word >>> 13) & 1)) >>> 13;
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
