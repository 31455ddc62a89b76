import sharp from 'sharp';
import type { Frames } from '../../model/frames.js';

/** Side of a frame in the report, pixels. */
const SHOWN_SIZE = 64;

/** The first `count` frames side by side as a data: URL (WebP). */
export async function frameStrip(frames: Frames, count: number): Promise<string> {
  const { width, height, data } = frames;
  const shown = Math.min(count, frames.count);
  const row = Buffer.alloc(shown * width * height * 3);
  for (let frame = 0; frame < shown; frame++) {
    for (let y = 0; y < height; y++) {
      const source = (frame * height + y) * width * 3;
      row.set(data.subarray(source, source + width * 3), (y * shown + frame) * width * 3);
    }
  }
  const image = await sharp(row, { raw: { width: shown * width, height, channels: 3 } })
    .resize({ width: shown * SHOWN_SIZE, height: SHOWN_SIZE, kernel: 'nearest' })
    .webp({ quality: 90 })
    .toBuffer();
  return `data:image/webp;base64,${image.toString('base64')}`;
}
