/**
 * The directory of an uncompressed zip archive, read as untrusted input: just what torch.save writes.
 *
 * @source PKWARE APPNOTE 4.3 (layout, zip64); archives that a program put something before or behind are refused
 */
import { CheckpointError } from '../../../base/errors.js';

/** What is read by ranges: a file, or bytes in memory. */
export interface RangeReader {
  readonly path: string;
  readonly byteLength: number;
  read(byteLength: number, position: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Where an entry's bytes lie in the file. */
export interface ZipEntry {
  readonly byteOffset: number;
  readonly byteLength: number;
}

interface DirectoryEntry {
  readonly name: string;
  readonly rawName: Uint8Array;
  readonly byteLength: number;
  readonly headerOffset: number;
}

interface DirectoryPlace {
  readonly offset: number;
  readonly bytes: number;
  readonly entries: number;
}

const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const LOCATOR_BYTES = 20;
const LOCATOR_SIGNATURE = 0x07064b50;
const END64_BYTES = 56;
const END64_SIGNATURE = 0x06064b50;
const CENTRAL_BYTES = 46;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
const ZIP64_EXTRA = 1;
const FULL_16 = 0xffff;
const FULL_32 = 0xffffffff;
/** Encrypted, or a directory with masked names. */
const UNREADABLE_FLAGS = 1 | (1 << 13);
/** An 8B model's archive has 300 entries, of 100 bytes each. */
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;

/** @throws CheckpointError E_TORCH_ARCHIVE when it is no archive, breaks a bound, or uses what torch.save does not */
export async function readZipDirectory(file: RangeReader): Promise<Map<string, ZipEntry>> {
  const place = await findDirectory(file);
  const directory = parseDirectory(file, await file.read(place.bytes, place.offset), place);
  const entries = new Map<string, ZipEntry>();
  let end = 0;
  for (const entry of directory.sort((a, b) => a.headerOffset - b.headerOffset)) {
    const { name, byteLength, headerOffset } = entry;
    if (entries.has(name)) throw damaged(file, `entry ${JSON.stringify(name)} appears twice`);
    // No byte serves two entries: a small archive cannot claim a large content.
    if (headerOffset < end) throw damaged(file, `entry ${JSON.stringify(name)} overlaps the one before`);
    const byteOffset = await findContent(file, entry, place.offset);
    end = byteOffset + byteLength;
    if (end > place.offset) throw damaged(file, `entry ${JSON.stringify(name)} reaches into the directory`);
    entries.set(name, { byteOffset, byteLength });
  }
  return entries;
}

async function findDirectory(file: RangeReader): Promise<DirectoryPlace> {
  if (file.byteLength < END_BYTES)
    throw damaged(file, `it has ${file.byteLength} bytes, an archive at least ${END_BYTES}`);
  const tailBytes = Math.min(file.byteLength, END_BYTES + LOCATOR_BYTES);
  const tail = viewOf(await file.read(tailBytes, file.byteLength - tailBytes));
  const at = tailBytes - END_BYTES;
  if (tail.getUint32(at, true) !== END_SIGNATURE) {
    throw damaged(
      file,
      "it does not end with a zip archive's end record",
      'The file is cut off: copy or download it again.',
    );
  }
  const [disk, startDisk] = [tail.getUint16(at + 4, true), tail.getUint16(at + 6, true)];
  const short: DirectoryPlace = {
    entries: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
  const inShort =
    tail.getUint16(at + 8, true) === short.entries && disk === startDisk && (disk === 0 || disk === FULL_16);
  if (!inShort) throw damaged(file, 'it is a part of a split archive');
  const endOffset = file.byteLength - END_BYTES;
  const hasLocator = at >= LOCATOR_BYTES && tail.getUint32(at - LOCATOR_BYTES, true) === LOCATOR_SIGNATURE;
  const place = hasLocator ? await readEnd64(file, tail, endOffset - LOCATOR_BYTES, short) : short;
  const directoryEnd = hasLocator ? endOffset - LOCATOR_BYTES - END64_BYTES : endOffset;
  if (place.offset + place.bytes !== directoryEnd) {
    throw damaged(file, `its directory of ${place.bytes} bytes at ${place.offset} does not end at ${directoryEnd}`);
  }
  if (place.bytes > MAX_DIRECTORY_BYTES || place.entries * CENTRAL_BYTES > place.bytes) {
    throw damaged(file, `its directory claims ${place.entries} entries in ${place.bytes} bytes`);
  }
  return place;
}

async function readEnd64(file: RangeReader, tail: DataView, locatorOffset: number, short: DirectoryPlace) {
  const expected = locatorOffset - END64_BYTES;
  const claimed = tail.getBigUint64(8, true);
  if (expected < 0 || claimed !== BigInt(expected)) {
    throw damaged(file, `its zip64 end record is at ${claimed}, expected ${expected}`);
  }
  const record = viewOf(await file.read(END64_BYTES, expected));
  if (record.getUint32(0, true) !== END64_SIGNATURE || record.getBigUint64(4, true) !== BigInt(END64_BYTES - 12)) {
    throw damaged(file, 'its zip64 end record is not one');
  }
  const number = (at: number) => exact(file, record.getBigUint64(at, true), 'its zip64 end record');
  const place = { entries: number(32), bytes: number(40), offset: number(48) };
  const agrees = (small: number, full: number, large: number) => small === full || small === large;
  if (
    number(24) !== place.entries ||
    !agrees(short.entries, FULL_16, place.entries) ||
    !agrees(short.bytes, FULL_32, place.bytes) ||
    !agrees(short.offset, FULL_32, place.offset)
  ) {
    throw damaged(file, 'its two end records disagree');
  }
  return place;
}

function parseDirectory(file: RangeReader, bytes: Uint8Array<ArrayBuffer>, place: DirectoryPlace): DirectoryEntry[] {
  const view = viewOf(bytes);
  const entries: DirectoryEntry[] = [];
  let at = 0;
  while (entries.length < place.entries) {
    if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      throw damaged(file, `entry ${entries.length} of its directory is not one`);
    }
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const lengths = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const [nameBytes = 0, extraBytes = 0, commentBytes = 0] = lengths;
    const nameAt = at + CENTRAL_BYTES;
    const next = nameAt + nameBytes + extraBytes + commentBytes;
    if (next > bytes.length) throw damaged(file, `entry ${entries.length} of its directory is cut off`);
    const rawName = bytes.subarray(nameAt, nameAt + nameBytes);
    const name = decodeName(file, rawName);
    if (method !== 0) throw damaged(file, `entry ${JSON.stringify(name)} is compressed (method ${method})`);
    if ((flags & UNREADABLE_FLAGS) !== 0) throw damaged(file, `entry ${JSON.stringify(name)} is encrypted`);
    const extra = new DataView(bytes.buffer, bytes.byteOffset + nameAt + nameBytes, extraBytes);
    const [size, compressed, headerOffset] = longFields(file, name, extra, [
      view.getUint32(at + 24, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 42, true),
    ]);
    if (size !== compressed)
      throw damaged(file, `entry ${JSON.stringify(name)} has two sizes, ${compressed} and ${size}`);
    entries.push({ name, rawName, byteLength: size, headerOffset });
    at = next;
  }
  if (at !== bytes.length) throw damaged(file, `${bytes.length - at} bytes follow the last entry of its directory`);
  return entries;
}

/** Replaces the 32-bit fields that are full by those of the zip64 extra field, which holds just these, in order. */
function longFields(
  file: RangeReader,
  name: string,
  extra: DataView,
  fields: readonly [number, number, number],
): [number, number, number] {
  const missing = () => damaged(file, `entry ${JSON.stringify(name)} lacks its 64-bit sizes`);
  const long = fields.includes(FULL_32) ? findExtra(extra, ZIP64_EXTRA) : undefined;
  let at = 0;
  const field = (short: number): number => {
    if (short !== FULL_32) return short;
    if (long === undefined || at + 8 > long.byteLength) throw missing();
    at += 8;
    return exact(file, long.getBigUint64(at - 8, true), `entry ${JSON.stringify(name)}`);
  };
  return [field(fields[0]), field(fields[1]), field(fields[2])];
}

function findExtra(extra: DataView, id: number): DataView | undefined {
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const bytes = extra.getUint16(at + 2, true);
    if (at + 4 + bytes > extra.byteLength) return undefined;
    if (extra.getUint16(at, true) === id) return new DataView(extra.buffer, extra.byteOffset + at + 4, bytes);
    at += 4 + bytes;
  }
  return undefined;
}

/** The local header tells only how long it is; sizes are the directory's. */
async function findContent(file: RangeReader, entry: DirectoryEntry, limit: number): Promise<number> {
  const { headerOffset, rawName } = entry;
  const what = `entry ${JSON.stringify(entry.name)}`;
  const headerBytes = LOCAL_BYTES + rawName.length;
  if (headerOffset + headerBytes > limit) throw damaged(file, `${what} starts at ${headerOffset}, beyond the contents`);
  const header = await file.read(headerBytes, headerOffset);
  const view = viewOf(header);
  const sameName = Buffer.compare(header.subarray(LOCAL_BYTES), rawName) === 0;
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE || view.getUint16(26, true) !== rawName.length || !sameName) {
    throw damaged(file, `${what} has no local header at ${headerOffset}`);
  }
  return headerOffset + headerBytes + view.getUint16(28, true);
}

function decodeName(file: RangeReader, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const message = `${file.path}: invalid torch archive: the name of an entry is not UTF-8.`;
    throw new CheckpointError('E_TORCH_ARCHIVE', message, { cause });
  }
}

function exact(file: RangeReader, value: bigint, where: string): number {
  if (value > Number.MAX_SAFE_INTEGER) throw damaged(file, `${where} claims ${value} bytes`);
  return Number(value);
}

function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(file: RangeReader, reason: string, hint = 'Download it again, or save it again with torch.save.') {
  return new CheckpointError('E_TORCH_ARCHIVE', `${file.path}: invalid torch archive: ${reason}.`, { hint });
}
