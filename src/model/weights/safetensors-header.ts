import { CheckpointError } from '../../base/errors.js';
import { bytesPerElement, DTYPES, isDtype, type SafetensorsDtype } from './dtype.js';
import { HeaderScanner } from './header-scanner.js';

/** Bytes of the length field in front of the header. */
export const LENGTH_BYTES = 8;
/** The format's own limit. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Far above any real tensor; bounds what a hostile header can make a reader allocate. */
const MAX_RANK = 64;
const METADATA_KEY = '__metadata__';

export interface TensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Position of the first byte in the file. */
  readonly byteOffset: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

interface RawTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly bigint[];
  readonly begin: bigint;
  readonly end: bigint;
}

/**
 * The header's length, from the first 8 bytes of the file.
 *
 * @throws CheckpointError E_SAFETENSORS_HEADER_LENGTH above the format's limit, E_SAFETENSORS_TRUNCATED beyond the file
 */
export function headerLength(path: string, prefix: Uint8Array, fileBytes: number): number {
  // Compared as bigint: a length near 2^64 is not exact as a number.
  const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    const message = `${path}: the header claims ${length} bytes, the format allows ${MAX_HEADER_BYTES}.`;
    throw new CheckpointError('E_SAFETENSORS_HEADER_LENGTH', message, { hint: 'This is not a safetensors file.' });
  }
  if (length < 2n) {
    const message = `${path}: the header claims ${length} bytes; the shortest one, {}, has 2.`;
    throw new CheckpointError('E_SAFETENSORS_HEADER_LENGTH', message, { hint: 'This is not a safetensors file.' });
  }
  if (Number(length) > fileBytes - LENGTH_BYTES) throw truncated(path, LENGTH_BYTES + Number(length), fileBytes);
  return Number(length);
}

/**
 * Parses and checks a header as untrusted input.
 *
 * @param bytes the header alone, without its length field
 * @param fileBytes size of the whole file; the tensors must fill it exactly, without holes or overlap
 * @throws CheckpointError whose code names the broken rule
 * @source the safetensors format description and its reference reader (safetensors/src/tensor.rs)
 */
export function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): SafetensorsHeader {
  const scanner = new HeaderScanner(decodeUtf8(path, bytes), (fault, reason) => {
    const code = fault === 'duplicate' ? 'E_SAFETENSORS_DUPLICATE_KEY' : 'E_SAFETENSORS_HEADER';
    return new CheckpointError(code, `${path}: invalid safetensors header: ${reason}.`);
  });
  const metadata = new Map<string, string>();
  const raw: RawTensor[] = [];
  scanner.object('the header', (name) => {
    if (name === METADATA_KEY) {
      scanner.object(METADATA_KEY, (key) => metadata.set(key, scanner.string(`${METADATA_KEY} "${key}"`)));
    } else {
      raw.push(readTensor(path, scanner, name));
    }
  });
  scanner.end();
  const dataStart = LENGTH_BYTES + bytes.length;
  checkLayout(path, raw, dataStart, fileBytes);
  const tensors = new Map<string, TensorInfo>();
  for (const { name, dtype, shape, begin, end } of raw) {
    // Exact: checkLayout bounded every offset by the file's size, checkedByteLength every dimension by 2^53.
    const byteOffset = dataStart + Number(begin);
    tensors.set(name, { dtype, shape: shape.map(Number), byteLength: Number(end - begin), byteOffset });
  }
  return { tensors, metadata };
}

function decodeUtf8(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const message = `${path}: invalid safetensors header: it is not UTF-8 text.`;
    throw new CheckpointError('E_SAFETENSORS_HEADER', message, { cause });
  }
}

function readTensor(path: string, scanner: HeaderScanner, name: string): RawTensor {
  const what = `tensor ${JSON.stringify(name)}`;
  let dtype: string | undefined;
  let shape: bigint[] | undefined;
  let offsets: bigint[] | undefined;
  scanner.object(what, (key) => {
    if (key === 'dtype') dtype = scanner.string(`${what}, dtype`);
    else if (key === 'shape') shape = scanner.integers(`${what}, shape`, MAX_RANK);
    else if (key === 'data_offsets') offsets = scanner.integers(`${what}, data_offsets`, 2);
    else throw headerError(path, `${what} has the unknown key ${JSON.stringify(key)}`);
  });
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
    throw headerError(path, `${what} needs dtype, shape and data_offsets of two numbers`);
  }
  if (!isDtype(dtype)) {
    const message = `${path}: ${what} has dtype ${JSON.stringify(dtype)}, expected one of ${DTYPES.join(', ')}.`;
    throw new CheckpointError('E_SAFETENSORS_DTYPE', message);
  }
  const expected = checkedByteLength(path, what, dtype, shape);
  if (end < begin || end - begin !== expected) {
    const message = `${path}: ${what} has data_offsets [${begin}, ${end}], but ${dtype} [${shape}] takes ${expected} bytes.`;
    throw new CheckpointError('E_SAFETENSORS_SHAPE', message);
  }
  return { name, dtype, shape, begin, end };
}

function checkedByteLength(path: string, what: string, dtype: SafetensorsDtype, shape: readonly bigint[]): bigint {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  let bytes = BigInt(bytesPerElement(dtype));
  for (const size of shape) {
    bytes *= size;
    if (bytes > limit || size > limit) {
      throw new CheckpointError('E_SAFETENSORS_SHAPE', `${path}: ${what} has shape [${shape}], more than 2^53 bytes.`);
    }
  }
  return bytes;
}

/** Tensors must follow each other from 0 to the file's end: no hole can hide data, no byte serves two tensors. */
function checkLayout(path: string, tensors: readonly RawTensor[], dataStart: number, fileBytes: number): void {
  const sorted = [...tensors].sort((a, b) => Number(a.begin - b.begin) || Number(a.end - b.end));
  let expected = 0n;
  for (const { name, begin, end } of sorted) {
    if (begin !== expected) {
      const fault = begin > expected ? `leaves a hole of ${begin - expected} bytes` : 'overlaps the one before';
      const message = `${path}: tensor ${JSON.stringify(name)} starts at ${begin}, expected ${expected}: it ${fault}.`;
      throw new CheckpointError('E_SAFETENSORS_OFFSETS', message);
    }
    expected = end;
  }
  const needed = BigInt(dataStart) + expected;
  if (needed > fileBytes) throw truncated(path, needed, fileBytes);
  if (needed < fileBytes) {
    const message = `${path}: ${BigInt(fileBytes) - needed} bytes follow the last tensor, expected the end of the file.`;
    throw new CheckpointError('E_SAFETENSORS_TRAILING', message, { hint: 'The file was altered: fetch it again.' });
  }
}

function headerError(path: string, reason: string): CheckpointError {
  return new CheckpointError('E_SAFETENSORS_HEADER', `${path}: invalid safetensors header: ${reason}.`);
}

function truncated(path: string, needed: number | bigint, fileBytes: number): CheckpointError {
  const message = `${path}: the file has ${fileBytes} bytes, its header needs ${needed}.`;
  const hint = 'The file is cut off: copy or download it again.';
  return new CheckpointError('E_SAFETENSORS_TRUNCATED', message, { hint });
}
