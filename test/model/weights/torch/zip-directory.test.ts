import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../../src/base/errors.js';
import { readZipDirectory } from '../../../../src/model/weights/torch/zip-directory.js';
import { MemoryFile } from './memory-file.js';
import { type ZipOptions, type ZipPart, zipBytes } from './torch-bytes.js';

const parts = (...changes: Partial<ZipPart>[]): ZipPart[] =>
  changes.map((change, i) => ({ name: `a/${i}`, bytes: Buffer.from(`content ${i}`), ...change }));

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await readZipDirectory(new MemoryFile(bytes));
    return 'accepted';
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

/** A valid archive with some bytes replaced, counted from the end. */
function altered(fromEnd: number, bytes: Uint8Array, options?: ZipOptions): Buffer {
  const whole = zipBytes(parts({}, {}), options);
  whole.set(bytes, whole.length - fromEnd);
  return whole;
}

describe('the directory of an archive', () => {
  it.each([{ zip64: true }, { zip64: false }, { long: true }])(
    'finds the bytes of every entry with %o',
    async (options) => {
      const bytes = zipBytes(parts({}, { bytes: new Uint8Array(0) }, { name: 'ü/x' }), options);
      const entries = await readZipDirectory(new MemoryFile(bytes));
      const contents = [...entries].map(([name, { byteOffset, byteLength }]) => [
        name,
        bytes.subarray(byteOffset, byteOffset + byteLength).toString(),
      ]);
      expect(contents).toEqual([
        ['a/0', 'content 0'],
        ['a/1', ''],
        ['ü/x', 'content 2'],
      ]);
    },
  );

  it.each<[string, Uint8Array, string]>([
    ['less than an end record', Buffer.alloc(21), 'has 21 bytes'],
    ['no end record', Buffer.alloc(100), "does not end with a zip archive's end record"],
    ['a cut end', zipBytes(parts({})).subarray(0, -1), 'does not end with'],
    ['bytes behind it', Buffer.concat([zipBytes(parts({})), Buffer.of(0)]), 'does not end with'],
    ['bytes before it', Buffer.concat([Buffer.of(0), zipBytes(parts({}))]), 'zip64 end record is at'],
    [
      'bytes before it, short records',
      Buffer.concat([Buffer.of(0), zipBytes(parts({}), { zip64: false })]),
      'does not end at',
    ],
    ['several disks', altered(18, Buffer.of(1)), 'split archive'],
    ['fewer entries here than in all', altered(14, Buffer.of(1)), 'split archive'],
    ['a directory elsewhere', zipBytes(parts({}), { claimedDirectoryOffset: 3 }), 'does not end at'],
    ['more entries than there are', zipBytes(parts({}, {}), { claimedEntries: 3 }), 'claims 3 entries in'],
    ['fewer entries than there are', zipBytes(parts({}, {}), { claimedEntries: 1 }), 'follow the last entry'],
    ['2^64 entries', altered(22 + 76 - 24, Buffer.alloc(16, 0xff), { long: true }), 'claims 18446744073709551615'],
    ['end records that disagree', altered(22 + 76 - 32, Buffer.of(1)), 'disagree'],
    ['a compressed entry', zipBytes(parts({ method: 8 })), '"a/0" is compressed (method 8)'],
    ['an encrypted entry', zipBytes(parts({ flags: 1 })), '"a/0" is encrypted'],
    ['a name twice', zipBytes(parts({ name: 'x' }, { name: 'x' })), '"x" appears twice'],
    [
      'a name that is not UTF-8',
      Buffer.from(zipBytes(parts({ name: '??' })).map((byte) => (byte === 0x3f ? 0xff : byte))),
      'not UTF-8',
    ],
    ['an entry larger than the file', zipBytes(parts({ claimedBytes: 10 ** 9 })), 'reaches into the directory'],
    ['an entry larger than any memory', zipBytes(parts({ claimedBytes: 2 ** 52 }), { long: true }), 'reaches into'],
    ['entries that overlap', zipBytes(parts({ claimedBytes: 20 }, {})), '"a/1" overlaps'],
    ['two entries on the same bytes', zipBytes(parts({}, { claimedOffset: 0 })), 'overlaps'],
    ['an entry beyond the contents', zipBytes(parts({ claimedOffset: 60 })), 'beyond the contents'],
    ['an entry without a local header', zipBytes(parts({ claimedOffset: 4 })), 'no local header at 4'],
  ])('is refused with %s', async (_name, bytes, message) => {
    const got = await refusal(bytes);
    expect(got).toContain('E_TORCH_ARCHIVE: file.bin: invalid torch archive: ');
    expect(got).toContain(message);
  });

  it('is refused when a local header has another name', async () => {
    const bytes = zipBytes(parts({}));
    bytes.write('b', 30);
    expect(await refusal(bytes)).toContain('no local header');
  });
});
