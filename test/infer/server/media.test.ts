import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openMedia, receiveUpload } from '../../../src/infer/server/media.js';

const dataUrl = (bytes: string) => `data:video/mp4;base64,${Buffer.from(bytes).toString('base64')}`;

let temporary: string;
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'mimic-test-'));
  vi.stubEnv('TMPDIR', temporary);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(temporary, { recursive: true });
});

describe('openMedia', () => {
  let folder: string;
  let root: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mimic-root-'));
    root = join(folder, 'root');
    mkdirSync(join(root, 'sub'), { recursive: true });
    mkdirSync(`${root}-sibling`);
    writeFileSync(join(root, 'a.mp4'), 'a');
    writeFileSync(join(root, 'sub', 'b.mp4'), 'b');
    writeFileSync(join(folder, 'secret.mp4'), 's');
    writeFileSync(join(`${root}-sibling`, 'c.mp4'), 'c');
    symlinkSync(join(folder, 'secret.mp4'), join(root, 'link.mp4'));
    symlinkSync(folder, join(root, 'up'));
    symlinkSync(join(root, 'a.mp4'), join(root, 'inner.mp4'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['a.mp4', 'sub/b.mp4', './sub//b.mp4', 'sub/../a.mp4', 'inner.mp4'])(
    'opens %s inside the root',
    async (path) => {
      const media = await openMedia(path, root);
      expect(['a', 'b']).toContain(readFileSync(media.path, 'utf8'));
      await media.dispose();
      expect(existsSync(media.path)).toBe(true); // not ours to delete
    },
  );

  it.each([
    '../secret.mp4',
    'link.mp4',
    'up/secret.mp4',
    '../root-sibling/c.mp4',
    'none.mp4',
    'sub',
    '.',
    'a\0.mp4',
    '/etc/hosts',
  ])('refuses %j with one message for every reason', async (path) => {
    const refusal = expect(openMedia(path, root)).rejects;
    await refusal.toMatchObject({
      status: 403,
      code: 'E_MEDIA_PATH',
      message: 'video: not a readable regular file inside the media root',
    });
  });

  it('reads no local file without a root', async () => {
    await expect(openMedia('a.mp4', undefined)).rejects.toMatchObject({ status: 403, code: 'E_MEDIA_PATH' });
    await expect(openMedia('a.mp4', undefined)).rejects.toThrow('this server reads no local files');
  });

  it.each([
    'http://169.254.169.254/latest',
    'https://x.example/v.mp4',
    'file:///etc/hosts',
    'FTP://x',
    '//x.example/v',
    'concat:a|b',
  ])('refuses the URL %s', async (url) => {
    await expect(openMedia(url, root)).rejects.toMatchObject({ status: 400, code: 'E_MEDIA_URL' });
  });

  it('writes a data URL to a private file and deletes it', async () => {
    const media = await openMedia(dataUrl('bytes'), undefined);
    expect(readFileSync(media.path, 'utf8')).toBe('bytes');
    expect(statSync(dirname(media.path)).mode & 0o077).toBe(0);
    await media.dispose();
    expect(existsSync(dirname(media.path))).toBe(false);
  });

  it.each([
    'data:',
    'data:video/mp4;base64',
    'data:video/mp4;base64,',
    'data:video/mp4;base64,@@@@',
    'data:video/mp4;base64,abc',
    'data:video/mp4,abcd',
    'data:text/html;base64,YWJj',
  ])('refuses the malformed %j', async (url) => {
    await expect(openMedia(url, undefined)).rejects.toThrow(
      'video: malformed data URL, expected data:video/TYPE;base64,DATA',
    );
  });
});

describe('receiveUpload', () => {
  it('keeps what was sent until it is disposed', async () => {
    const media = await receiveUpload(Readable.from(['by', 'tes']));
    expect(readFileSync(media.path, 'utf8')).toBe('bytes');
    await media.dispose();
    expect(existsSync(media.path)).toBe(false);
  });

  it('leaves nothing behind when the upload breaks off', async () => {
    const broken = Readable.from(
      (async function* () {
        yield 'by';
        throw new Error('connection lost');
      })(),
    );
    const before = readdirSync(temporary);
    await expect(receiveUpload(broken)).rejects.toThrow('connection lost');
    expect(readdirSync(temporary)).toEqual(before);
  });
});
