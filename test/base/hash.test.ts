import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { sha256, sha256File, sha256Stream } from '../../src/base/hash.js';

/** FIPS 180-2, appendix B.1: the digest of "abc". */
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

describe('sha256', () => {
  it('gives the published digest for a string, bytes, a stream and a file', async () => {
    expect(sha256('abc')).toBe(ABC);
    expect(sha256(new Uint8Array([97, 98, 99]))).toBe(ABC);
    expect(await sha256Stream(Readable.from(['a', 'bc']))).toBe(ABC);
    const folder = await mkdtemp(join(tmpdir(), 'mimic-hash-'));
    await writeFile(join(folder, 'abc'), 'abc');
    expect(await sha256File(join(folder, 'abc'))).toBe(ABC);
    await rm(folder, { recursive: true });
  });

  it('hashes the UTF-8 of a string', () => {
    expect(sha256('\u6620\u753b')).toBe(sha256(Buffer.from('\u6620\u753b', 'utf8')));
  });

  it('rejects with the path of a missing file', async () => {
    await expect(sha256File('/nonexistent/weights')).rejects.toThrow(
      "ENOENT: no such file or directory, open '/nonexistent/weights'",
    );
  });
});
