/**
 * A program that reads and fills a feature cache beside others of its kind, in an order of its own, and checks all it reads.
 * Usage: node cache-child.js DIR SEED VIDEOS MAX_BYTES; prints hits, puts and what was wrong.
 */
import { isDeepStrictEqual } from 'node:util';
import { Rng } from '../../../src/base/rng.js';
import { FeatureStore } from '../../../src/train/features/feature-store.js';
import { HashIndex } from '../../../src/train/features/hash-index.js';
import { featuresOf, keyOf } from './features-of.js';

const [dir = '', seed = '', videos = '', maxBytes = ''] = process.argv.slice(2);
const ROUNDS = 3;
const SIZE = { rows: 64, width: 64 };

const store = new FeatureStore({ dir, maxBytes: Number(maxBytes) });
const index = new HashIndex(`${dir}/index`);
const counts = { hits: 0, stored: 0, wrong: 0 };
for (let round = 0; round < ROUNDS; round++) {
  const order = new Rng(Number(seed), 'order').fork(round).shuffle(Array.from({ length: Number(videos) }, (_, i) => i));
  for (const video of order) {
    const [key, state] = [keyOf(`video ${video}`), keyOf(`state ${video}`)];
    const known = await index.get(state);
    if (known === undefined) await index.add(state, key);
    else if (known !== key) counts.wrong++;
    const read = await store.get(key);
    if (read === null) counts.stored += Number(await store.put(key, featuresOf(video, SIZE)));
    else if (isDeepStrictEqual(read, featuresOf(video, SIZE))) counts.hits++;
    else counts.wrong++;
  }
}
console.log(JSON.stringify(counts));
