/**
 * A program that ends its decoding threads while an answer of one is under way: it came while the main thread was busy.
 * Usage: node close-child.js ENTRY; prints `closed`.
 */
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { SamplingSchema } from '../../../src/data/video/sampling.js';
import { startDecoding } from '../../../src/train/loader/decode-workers.js';

const BUSY_MS = 1500;

const entry = pathToFileURL(process.argv[2] ?? '');
const tiles = { maxTiles: 1, thumbnail: false };
const decoding = startDecoding({
  sampling: SamplingSchema.parse({ size: 8, numFrames: 2 }),
  tiles,
  workers: 1,
  budgetMiB: 1,
  entry,
});
decoding.frames('clip.mp4').catch(() => undefined);
await setImmediate();
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS);
await decoding.close();
console.log('closed');
