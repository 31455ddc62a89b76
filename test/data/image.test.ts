import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, decodeImageTiles, decodeRgb } from '../../src/data/image.js';
import { tileImage } from '../../src/data/pixels/tile-image.js';
import type { Frames } from '../../src/model/frames.js';
import { picture as generated } from './pixels/picture.js';
import { makeMedia, mediaFolder, refusal } from './video/media.js';

const media = mediaFolder();
const SQUARE = { size: 8, resize: 'bicubic' } as const;
const picture = (width: number, height: number, background = '#804020') =>
  sharp({ create: { width, height, channels: 3, background } });

function pixel({ data, width }: Frames, row: number, column: number): number[] {
  return [...data.subarray((row * width + column) * 3, (row * width + column) * 3 + 3)];
}

describe('decodeImage', () => {
  let halves: Buffer;
  beforeAll(async () => {
    // White above, black below.
    const top = await picture(40, 20, 'white').png().toBuffer();
    halves = await picture(40, 40, 'black')
      .composite([{ input: top, top: 0, left: 0 }])
      .png()
      .toBuffer();
  });

  it('gives one frame of the asked size from JPEG, PNG and WebP, by path or bytes', async () => {
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      const bytes = await picture(30, 20).toFormat(format).toBuffer();
      writeFileSync(media(`a.${format}`), bytes);
      for (const input of [media(`a.${format}`), new Uint8Array(bytes)]) {
        const frames = await decodeImage(input, SQUARE);
        expect(frames).toMatchObject({
          count: 1,
          height: 8,
          width: 8,
          indices: Int32Array.of(0),
          timesSec: Float64Array.of(0),
        });
        expect(frames.data).toHaveLength(8 * 8 * 3);
        // JPEG and WebP move a flat colour by at most 3 (measured).
        pixel(frames, 4, 4).forEach((value, i) => {
          expect(Math.abs(value - ([0x80, 0x40, 0x20][i] ?? 0))).toBeLessThanOrEqual(3);
        });
      }
    }
  });

  it('turns a photo upright', async () => {
    // Orientation 6: turn a quarter clockwise, so that the top goes to the right.
    const turned = await decodeImage(await sharp(halves).withMetadata({ orientation: 6 }).jpeg().toBuffer(), SQUARE);
    expect(pixel(turned, 4, 7)[0]).toBeGreaterThan(240);
    expect(pixel(turned, 4, 0)[0]).toBeLessThan(15);
    expect(pixel(await decodeImage(halves, SQUARE), 0, 4)).toEqual([255, 255, 255]);
  });

  it('keeps the centre square, with every interpolation', async () => {
    const sides = await picture(16, 48, 'blue').png().toBuffer();
    const wide = await picture(80, 48, 'red')
      .composite([
        { input: sides, left: 0, top: 0 },
        { input: sides, left: 64, top: 0 },
      ])
      .png()
      .toBuffer();
    for (const resize of ['bicubic', 'area', 'bilinear'] as const) {
      const frames = await decodeImage(wide, { size: 6, resize });
      for (let column = 0; column < 6; column++) expect(pixel(frames, 3, column)[0]).toBeGreaterThan(200);
    }
  });

  it('makes RGB of grey, transparent and 16-bit pictures', async () => {
    const grey = await picture(9, 9, '#505050').toColourspace('b-w').png().toBuffer();
    const clear = await picture(9, 9).ensureAlpha(0.5).png().toBuffer();
    const deep = await picture(9, 9).toColourspace('rgb16').png().toBuffer();
    expect(pixel(await decodeImage(grey, SQUARE), 2, 2)).toEqual([0x50, 0x50, 0x50]);
    expect(pixel(await decodeImage(clear, SQUARE), 2, 2)).toEqual([0x80, 0x40, 0x20]);
    expect(pixel(await decodeImage(deep, SQUARE), 2, 2)).toEqual([0x80, 0x40, 0x20]);
  });

  it('refuses a bomb by its header', async () => {
    // A greyscale PNG of 144 M pixels in 140 kB.
    makeMedia(['-f', 'lavfi', '-i', 'color=s=12000x12000', '-frames:v', '1', '-pix_fmt', 'gray', media('bomb.png')]);
    const started = performance.now();
    const error = await refusal(decodeImage(media('bomb.png'), SQUARE), 'E_IMAGE_DIMENSIONS');
    expect(error.message).toContain('pixel limit');
    // Measured 5 ms.
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it.each([0.1, 0.3, 0.5, 0.7, 0.9, 0.99])('refuses a picture cut to %f of its bytes', async (fraction) => {
    const noise = ['-f', 'lavfi', '-i', 'testsrc2=s=200x150', '-frames:v', '1'];
    for (const name of ['cut.png', 'cut.jpg', 'cut.webp']) {
      makeMedia([...noise, media(name)]);
      const whole = readFileSync(media(name));
      await decodeImage(whole, SQUARE);
      await refusal(decodeImage(whole.subarray(0, Math.floor(whole.length * fraction)), SQUARE), 'E_IMAGE_DAMAGED');
    }
  });

  it('refuses other formats, whatever their name', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    );
    const gif = await picture(9, 9).gif().toBuffer();
    const tiff = await picture(9, 9).tiff().toBuffer();
    for (const bytes of [svg, gif, tiff, Buffer.from('plain text'), Buffer.alloc(100)]) {
      writeFileSync(media('named.png'), bytes);
      const error = await refusal(decodeImage(media('named.png'), SQUARE), 'E_IMAGE_FORMAT');
      expect(error.message).toContain('named.png');
    }
  });

  it('refuses what is not a readable, reasonably small file', async () => {
    mkdirSync(media('folder.png'));
    execFileSync('mkfifo', [media('pipe.png')]);
    writeFileSync(media('empty.png'), '');
    execFileSync('truncate', ['-s', '65M', media('sparse.png')]);
    await refusal(decodeImage(media('folder.png'), SQUARE), 'E_IMAGE_NOT_A_FILE');
    await refusal(decodeImage(media('pipe.png'), SQUARE), 'E_IMAGE_NOT_A_FILE');
    await refusal(decodeImage(media('empty.png'), SQUARE), 'E_IMAGE_EMPTY');
    await refusal(decodeImage(media('absent.png'), SQUARE), 'E_IMAGE_NOT_FOUND');
    await refusal(decodeImage(media('sparse.png'), SQUARE), 'E_IMAGE_TOO_LARGE');
    await refusal(decodeImage(new Uint8Array(0), SQUARE), 'E_IMAGE_EMPTY');
  });
});

describe('decodeImageTiles', () => {
  const png = (width: number, height: number) =>
    sharp(generated(width, height).data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();

  it('cuts a picture as wide as three squares into three tiles and the whole', async () => {
    const options = { size: 16, maxTiles: 6, thumbnail: true };
    const frames = await decodeImageTiles(await png(61, 20), options);
    expect(frames).toMatchObject({ count: 4, height: 16, width: 16 });
    expect(frames.data).toEqual(tileImage(generated(61, 20), options).data);
    expect([...frames.indices]).toEqual([0, 0, 0, 0]);
  });

  it('cuts a photo after turning it upright', async () => {
    const lying = await sharp(await png(61, 20))
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    expect(await decodeRgb(lying)).toMatchObject({ width: 20, height: 61 });
    expect((await decodeImageTiles(lying, { size: 16, maxTiles: 3, thumbnail: false })).count).toBe(3);
  });

  it('refuses a picture of one row and more columns than a table should have', async () => {
    const line = await picture(70_000, 1).png().toBuffer();
    const error = await refusal(
      decodeImageTiles(line, { size: 16, maxTiles: 6, thumbnail: true }),
      'E_IMAGE_DIMENSIONS',
    );
    expect(error.message).toContain('70000 x 1');
  });
});
