/** Builds torch archives from parts, valid or not: a zip writer and a pickle assembler, apart from the readers under test. */

export interface ZipPart {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** What the directory says, when it lies. */
  readonly claimedBytes?: number;
  readonly claimedOffset?: number;
}

export interface ZipOptions {
  /** Writes the 64-bit records as torch.save does, and with `long` every size in 64-bit fields. */
  readonly zip64?: boolean;
  readonly long?: boolean;
  readonly claimedEntries?: number;
  readonly claimedDirectoryOffset?: number;
}

const FULL = 0xffffffff;

function local({ name, bytes, method = 0, flags = 0x808 }: ZipPart): Buffer {
  const raw = Buffer.from(name);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt16LE(raw.length, 26);
  // Some padding, as torch aligns its storages.
  header.writeUInt16LE(6, 28);
  return Buffer.concat([header, raw, Buffer.from('FB\x02\0ZZ'), bytes]);
}

function central(part: ZipPart, offset: number, long: boolean): Buffer {
  const raw = Buffer.from(part.name);
  const size = part.claimedBytes ?? part.bytes.length;
  const at = part.claimedOffset ?? offset;
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(part.flags ?? 0x808, 8);
  header.writeUInt16LE(part.method ?? 0, 10);
  header.writeUInt32LE(long ? FULL : size, 20);
  header.writeUInt32LE(long ? FULL : size, 24);
  header.writeUInt16LE(raw.length, 28);
  header.writeUInt32LE(long ? FULL : at, 42);
  if (!long) return Buffer.concat([header, raw]);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  for (const [i, value] of [size, size, at].entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  header.writeUInt16LE(extra.length, 30);
  return Buffer.concat([header, raw, extra]);
}

export function zipBytes(parts: readonly ZipPart[], options: ZipOptions = {}): Buffer {
  const { zip64 = true, long = false } = options;
  const locals = parts.map(local);
  const offsets = locals.map((_, i) => locals.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const directory = Buffer.concat(parts.map((part, i) => central(part, offsets[i] ?? 0, long)));
  const content = Buffer.concat(locals);
  const entries = options.claimedEntries ?? parts.length;
  const offset = options.claimedDirectoryOffset ?? content.length;
  const end64 = Buffer.alloc(zip64 ? 76 : 0);
  if (zip64) {
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(44n, 4);
    for (const [i, value] of [entries, entries, directory.length, offset].entries()) {
      end64.writeBigUInt64LE(BigInt(value), 24 + 8 * i);
    }
    end64.writeUInt32LE(0x07064b50, 56);
    end64.writeBigUInt64LE(BigInt(content.length + directory.length), 64);
    end64.writeUInt32LE(1, 72);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(long ? 0xffff : entries, 8);
  end.writeUInt16LE(long ? 0xffff : entries, 10);
  end.writeUInt32LE(long ? FULL : directory.length, 12);
  end.writeUInt32LE(long ? FULL : offset, 16);
  return Buffer.concat([content, directory, end64, end]);
}

/** Pieces of a pickle: strings are opcodes as pickletools shows them in Latin-1, numbers bytes. */
export function pickleBytes(...pieces: readonly (string | number | Uint8Array)[]): Buffer {
  const parts = pieces.map((piece) => {
    if (typeof piece === 'string') return Buffer.from(piece, 'latin1');
    return typeof piece === 'number' ? Buffer.of(piece) : Buffer.from(piece);
  });
  return Buffer.concat([Buffer.of(0x80, 2), ...parts]);
}

export function unicode(text: string): Buffer {
  const raw = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(raw.length);
  return Buffer.concat([Buffer.from('X'), length, raw]);
}

export function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.write('J');
  bytes.writeInt32LE(value, 1);
  return bytes;
}

export function numbers(values: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from('('), ...values.map(integer), Buffer.from('t')]);
}

export interface TensorParts {
  readonly storage?: string;
  readonly key?: string;
  readonly elements?: number;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
}

/** A tensor as torch.save pickles it; 2 x 3 floats by default. */
export function tensor(parts: TensorParts = {}): Buffer {
  const { storage = 'FloatStorage', key = '0', elements = 6, offset = 0, shape = [2, 3], strides = [3, 1] } = parts;
  return Buffer.concat([
    Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n(('),
    unicode('storage'),
    Buffer.from(`ctorch\n${storage}\n`),
    unicode(key),
    unicode('cpu'),
    integer(elements),
    Buffer.from('tQ'),
    integer(offset),
    numbers(shape),
    numbers(strides),
    Buffer.of(0x89),
    Buffer.from('ccollections\nOrderedDict\n)RtR'),
  ]);
}

/** A pickle of a dict with these items. */
export function dictPickle(items: Readonly<Record<string, Uint8Array>>): Buffer {
  const members = Object.entries(items).flatMap(([name, value]) => [unicode(name), value]);
  return pickleBytes('}(', ...members, 'u.');
}

/** The archive of a pickle whose storages are all there. */
export function archiveBytes(pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>>, options?: ZipOptions) {
  const data = Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, bytes }));
  const version = { name: 'archive/version', bytes: Buffer.from('3\n') };
  return zipBytes([{ name: 'archive/data.pkl', bytes: pickle }, ...data, version], options);
}
