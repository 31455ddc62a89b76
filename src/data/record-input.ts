import { join } from 'node:path';
import type { VideoRecord } from './record.js';
import { hasVideo } from './record.js';
import { videoSource } from './tasks/video-source.js';
import { type VideoInput, videoInput } from './video/open-video.js';

/** What is to be decoded for a record, with paths below `root`; null for text alone. */
export function recordInput(root: string, record: VideoRecord): VideoInput | null {
  if (record.images !== undefined) return { images: record.images.map((path) => join(root, path)) };
  return hasVideo(record) ? videoInput(root, videoSource(record)) : null;
}
