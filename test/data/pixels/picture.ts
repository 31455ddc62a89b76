import { createHash } from 'node:crypto';
import type { RgbImage } from '../../../src/data/pixels/rgb-image.js';

/** The generated picture of `tools/pixels/goldens.py`: the top byte of a multiplicative hash of the byte's number. */
export function picture(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    let hash = Math.imul(i, 2654435761);
    hash ^= hash >>> 15;
    data[i] = Math.imul(hash, 2246822519) >>> 24;
  }
  return { data, width, height };
}

export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}
