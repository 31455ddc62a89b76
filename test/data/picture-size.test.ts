import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRgb } from '../../src/data/image.js';
import { pictureSize } from '../../src/data/picture-size.js';

describe('pictureSize', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'mimic-size-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const picture = () => sharp({ create: { width: 37, height: 21, channels: 3, background: { r: 9, g: 99, b: 200 } } });
  const turned = () => picture().withMetadata({ orientation: 6 });

  it.each([
    ['a.jpg', () => picture().jpeg()],
    ['progressive.jpg', () => picture().jpeg({ progressive: true })],
    ['turned.jpg', () => turned().jpeg()],
    ['a.png', () => picture().png()],
    ['turned.png', () => turned().png()],
    ['lossy.webp', () => picture().webp()],
    ['lossless.webp', () => picture().webp({ lossless: true })],
    ['turned.webp', () => turned().webp()],
    ['turned-lossless.webp', () => turned().webp({ lossless: true })],
    ['alpha.webp', () => picture().ensureAlpha(0.5).webp()],
  ])('says of %s what decoding it gives', async (name, make) => {
    const path = join(dir, name);
    await make().toFile(path);
    const { width, height } = await decodeRgb(path);
    expect(Math.max(width, height)).toBe(37);
    expect(pictureSize(path)).toEqual({ width, height });
  });

  it('refuses what is no picture, or is cut off, or is not there', () => {
    const path = join(dir, 'text.jpg');
    writeFileSync(path, 'not a picture at all');
    expect(() => pictureSize(path)).toThrow('no size in the header of the picture');
    writeFileSync(path, Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 1, 2]));
    expect(() => pictureSize(path)).toThrow('no size in the header of the picture');
    expect(() => pictureSize(join(dir, 'absent.png'))).toThrow('the picture cannot be opened');
  });
});
