/**
 * Element types of safetensors files and the typed array that holds each one's bytes as they are on disk.
 *
 * Files are little-endian, and so is every host this project runs on: bytes are viewed, never swapped.
 */
import { bfloat16ToFloat32, float16ToFloat32 } from './half.js';

const STORAGE = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
} as const;

export type SafetensorsDtype = keyof typeof STORAGE;
/** Values as stored: 16-bit floats are their bit patterns, booleans are bytes. */
export type TensorData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | BigUint64Array
  | BigInt64Array
  | Float64Array;

export const DTYPES = Object.keys(STORAGE) as SafetensorsDtype[];

export function isDtype(name: string): name is SafetensorsDtype {
  return Object.hasOwn(STORAGE, name);
}

export function bytesPerElement(dtype: SafetensorsDtype): number {
  return STORAGE[dtype].BYTES_PER_ELEMENT;
}

/** Whether `data` is the array type that holds `dtype`. */
export function isStorageOf(dtype: SafetensorsDtype, data: TensorData): boolean {
  return data instanceof STORAGE[dtype];
}

/** Views bytes as elements; `bytes` must start at a multiple of the element size. */
export function viewAs(dtype: SafetensorsDtype, bytes: Uint8Array<ArrayBuffer>): TensorData {
  return new STORAGE[dtype](bytes.buffer, bytes.byteOffset, bytes.byteLength / bytesPerElement(dtype));
}

/** How each float type becomes float32; F64 is rounded to nearest. */
const WIDEN: Partial<Record<SafetensorsDtype, (bytes: Uint8Array<ArrayBuffer>, out: Float32Array) => void>> = {
  F32: (bytes, out) => out.set(new Float32Array(bytes.buffer, bytes.byteOffset, out.length)),
  F64: (bytes, out) => out.set(new Float64Array(bytes.buffer, bytes.byteOffset, out.length)),
  F16: (bytes, out) => float16ToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, out.length), out),
  BF16: (bytes, out) => bfloat16ToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, out.length), out),
};

/** The conversion of a float type's bytes to float32; undefined for integers and booleans. */
export function widener(dtype: SafetensorsDtype) {
  return WIDEN[dtype];
}
