import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isPictureFile } from '../../src/data/picture-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-picture-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = async (bytes: Uint8Array): Promise<string> => {
  const path = join(folder, 'upload');
  await writeFile(path, bytes);
  return path;
};

it.each(['png', 'jpeg', 'webp'] as const)('knows a %s by its first bytes, whatever its name', async (format) => {
  const image = sharp({ create: { width: 4, height: 3, channels: 3, background: 'red' } });
  expect(await isPictureFile(await write(await image.toFormat(format).toBuffer()))).toBe(true);
});

it('takes nothing else for a picture: a video, another RIFF file, a cut or empty file, a folder, no file', async () => {
  for (const text of ['\0\0\0\x20ftypisom\0\0', 'RIFF\0\0\0\0AVI ', 'RIFF\0\0', '\xff\xd8', '']) {
    expect(await isPictureFile(await write(Buffer.from(text, 'latin1')))).toBe(false);
  }
  expect(await isPictureFile(folder)).toBe(false);
  expect(await isPictureFile(join(folder, 'absent'))).toBe(false);
});
