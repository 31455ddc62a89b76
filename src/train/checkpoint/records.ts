/**
 * Values as MessagePack, typed arrays bit for bit.
 *
 * A typed array is the extension type 0x74 ("t"): one byte for its kind (0 Int8, 1 Uint8, 3 Int16, 4 Uint16, 5 Int32,
 * 6 Uint32, 7 Float32, 8 Float64, 9 BigInt64, 10 BigUint64), then its little-endian bytes.
 */
import { open } from 'node:fs/promises';
import { Packr, Unpackr } from 'msgpackr';
import { CheckpointError } from '../../base/errors.js';

/** Plain maps, so that any MessagePack library reads the files. */
const OPTIONS = { useRecords: false, moreTypes: true } as const;

/** A length is itself a MessagePack uint64: the marker byte 0xcf and 8 bytes, big-endian. */
const LENGTH_MARKER = 0xcf;
const LENGTH_BYTES = 9;

/** @param value plain objects, arrays, strings, numbers, booleans, null and typed arrays */
export function encodeValue(value: unknown): Buffer {
  // A fresh packer: a shared one keeps the largest buffer it ever filled.
  return new Packr(OPTIONS).pack(value);
}

/** @throws CheckpointError E_CHECKPOINT_CONTENT */
export function decodeValue(path: string, bytes: Uint8Array): unknown {
  try {
    return new Unpackr(OPTIONS).unpack(bytes);
  } catch (cause) {
    throw contentError(path, `not MessagePack (${(cause as Error).message})`, cause);
  }
}

/**
 * Writes values one by one, each after its encoded length, so that neither side holds more than one in memory and the
 * file may outgrow what one buffer holds. The file as a whole is a MessagePack stream: length, value, length, value.
 */
export async function writeRecords(path: string, records: Iterable<unknown>): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    for (const record of records) {
      const bytes = encodeValue(record);
      const length = Buffer.alloc(LENGTH_BYTES, LENGTH_MARKER);
      length.writeBigUInt64BE(BigInt(bytes.length), 1);
      await handle.writeFile(length);
      await handle.writeFile(bytes);
    }
  } finally {
    await handle.close();
  }
}

/** @throws CheckpointError E_CHECKPOINT_CONTENT when the file is no such stream */
export async function* readRecords(path: string): AsyncGenerator<unknown> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    for (let at = 0; at < size; ) {
      const prefix = Buffer.alloc(LENGTH_BYTES);
      await handle.read(prefix, 0, LENGTH_BYTES, at);
      at += LENGTH_BYTES;
      const length = prefix[0] === LENGTH_MARKER ? Number(prefix.readBigUInt64BE(1)) : Number.POSITIVE_INFINITY;
      if (length > size - at) throw contentError(path, `no record of a valid length at byte ${at - LENGTH_BYTES}`);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 2 ** 30), at + done);
        if (bytesRead === 0) throw contentError(path, `it ended at byte ${at + done} while it was read`);
        done += bytesRead;
      }
      yield decodeValue(path, bytes);
      at += length;
    }
  } finally {
    await handle.close();
  }
}

export function contentError(path: string, reason: string, cause?: unknown): CheckpointError {
  return new CheckpointError('E_CHECKPOINT_CONTENT', `${path}: ${reason}.`, {
    hint: 'The file was written by another program or version: resume with that one.',
    ...(cause === undefined ? {} : { cause }),
  });
}
