#!/usr/bin/env node
/**
 * Writes what both branches see of a clip with `fit: squash`, for compare_clips.py:
 *
 *     npm run setup && node tools/pixels/clip-frames.mjs CLIP SIZE FOLDER
 *
 * spatial.rgb and temporal.rgb hold the frames' bytes, [count, SIZE, SIZE, 3]; indices.json their numbers.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeVideo } from '../../dist/data/video/decode-video.js';
import { SamplingSchema } from '../../dist/data/video/sampling.js';

const [clip = '', size = '448', folder = '.'] = process.argv.slice(2);
const { spatial, temporal } = await decodeVideo(clip, SamplingSchema.parse({ size: Number(size), fit: 'squash' }));
writeFileSync(join(folder, 'spatial.rgb'), spatial.data);
writeFileSync(join(folder, 'temporal.rgb'), temporal.data);
const indices = { spatial: [...spatial.indices], temporal: [...temporal.indices] };
writeFileSync(join(folder, 'indices.json'), JSON.stringify(indices));
