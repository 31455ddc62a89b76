/** What a pickle of weights can hold once it is read: plain data, and descriptions of tensors. Nothing here runs. */
import type { SafetensorsDtype } from '../dtype.js';

/** The name of a Python class or function; it stays a name. */
export class PickleGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  /** For tables: no other module and name give the same. */
  get key(): string {
    return `${this.module} ${this.name}`;
  }

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

export class PickleList {
  readonly items: PickleValue[] = [];
}

/** A dict or an OrderedDict, in the order of insertion. Keys that are objects compare by identity. */
export class PickleDict {
  readonly entries = new Map<PickleValue, PickleValue>();
}

/** Numbers of one type that lie together in an entry of the archive. */
export class StorageRef {
  constructor(
    readonly dtype: SafetensorsDtype,
    /** Name of the entry below `data/`. */
    readonly key: string,
    readonly elements: number,
  ) {}
}

/** A view of a storage; offset and strides in elements. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleGlobal
  | PickleTuple
  | PickleList
  | PickleDict
  | StorageRef
  | TensorRef;

const SHOWN_CHARACTERS = 120;

/** A text from the file, no longer than a message should have it. */
export function clipped(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
}

export function quoted(text: string): string {
  return JSON.stringify(clipped(text));
}

/** For messages: what kind of value this is. */
export function kindOf(value: PickleValue): string {
  if (value === null) return 'None';
  if (value instanceof PickleGlobal) return clipped(value.path);
  if (typeof value === 'object') return KINDS.find(([type]) => value instanceof type)?.[1] ?? 'object';
  return typeof value;
}

const KINDS = [
  [PickleTuple, 'tuple'],
  [PickleList, 'list'],
  [PickleDict, 'dict'],
  [StorageRef, 'storage'],
  [TensorRef, 'tensor'],
] as const;
