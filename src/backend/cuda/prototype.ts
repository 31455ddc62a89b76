/** C prototypes as data, and the TypeScript types that calls through koffi get from them. */
import type { LibraryHandle } from 'koffi';

/**
 * A handle or device pointer is `uint64` and travels as a plain number (below 2^53); `bytes` is host memory that the
 * callee reads or fills during the call; `text` a C string.
 */
export type ParameterKind = 'uint64' | 'int64' | 'int32' | 'uint32' | 'bytes' | 'text' | 'texts';

type ArgumentOf<K extends ParameterKind> = K extends 'bytes'
  ? NodeJS.ArrayBufferView | null
  : K extends 'text'
    ? string
    : K extends 'texts'
      ? readonly string[]
      : number;

type ArgumentsOf<P extends readonly ParameterKind[]> = { -readonly [I in keyof P]: ArgumentOf<P[I]> };

/** Every function used returns a status, 0 for success. */
export type Call<P extends readonly ParameterKind[]> = (...parameters: ArgumentsOf<P>) => number;

export type PrototypeTable = Readonly<Record<string, readonly ParameterKind[]>>;
export type Calls<T extends PrototypeTable> = { readonly [N in keyof T]: Call<T[N]> };

const KOFFI_TYPES: Readonly<Record<ParameterKind, string>> = {
  uint64: 'uint64',
  int64: 'int64',
  int32: 'int32',
  uint32: 'uint32',
  bytes: 'void *',
  text: 'const char *',
  texts: 'const char **',
};

export function koffiTypes(parameters: readonly ParameterKind[]): string[] {
  return parameters.map((kind) => KOFFI_TYPES[kind]);
}

/** The functions of a table as calls into a library. Throws koffi's error where one is missing. */
export function bindCalls<T extends PrototypeTable>(library: LibraryHandle, table: T): Calls<T> {
  const calls: Record<string, unknown> = {};
  for (const [name, parameters] of Object.entries(table))
    calls[name] = library.func(name, 'int', koffiTypes(parameters));
  return calls as Calls<T>;
}

/** Memory for one result that a call writes through a pointer. */
export class OutValue {
  readonly bytes = Buffer.alloc(8);

  /** A handle, address or size. */
  get uint64(): number {
    return Number(this.bytes.readBigUInt64LE());
  }
  get int32(): number {
    return this.bytes.readInt32LE();
  }
  get float(): number {
    return this.bytes.readFloatLE();
  }
}
