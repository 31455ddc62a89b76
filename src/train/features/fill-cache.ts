/** Fills the feature cache for a run's records, so that training never waits for a decoder or an encoder. */
import { ConfigError, DataError } from '../../base/errors.js';
import { readRecords } from '../../data/read-records.js';
import { recordInput } from '../../data/record-input.js';
import { isPictures, type VideoInput, videoKey } from '../../data/video/open-video.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import type { RunConfig } from '../config.js';
import type { FeatureCache } from './feature-cache.js';
import type { FrameSource } from './feature-source.js';
import { toHost } from './feature-tensors.js';

export interface FailedVideo {
  /** Of the first record that has this video. */
  readonly id: string;
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export interface FillCounts {
  /** Found in the cache. */
  hits: number;
  /** Computed and stored. */
  stored: number;
  /** No room to store them; left out once that is known. */
  notStored: number;
  failed: number;
}

export interface FillResult extends FillCounts {
  readonly videos: number;
  readonly bytes: number;
  readonly failures: readonly FailedVideo[];
}

export interface FillOptions {
  readonly model: MimicChatModel;
  readonly frames: FrameSource;
  readonly cache: FeatureCache;
  /** Videos decoded at once; the encoders take them one by one. */
  readonly jobs: number;
  readonly onProgress?: (counts: Readonly<FillCounts>) => void;
}

interface NamedVideo {
  readonly id: string;
  readonly input: VideoInput;
}

/** Videos of `data.train` and `data.validation`, each once. @throws ConfigError, DataError */
export async function videosOf({ data }: Pick<RunConfig, 'data'>): Promise<NamedVideo[]> {
  const videos = new Map<string, NamedVideo>();
  for (const path of [data.train, data.validation]) {
    if (path === undefined) continue;
    const { records, root } = await readRecords(path, data.root);
    for (const record of records) {
      const input = recordInput(root, record);
      if (input !== null && !videos.has(videoKey(input))) videos.set(videoKey(input), { id: record.id, input });
    }
  }
  if (videos.size > 0) return [...videos.values()];
  throw new ConfigError('E_CONFIG_MISSING', 'data.train is not set.', { hint: 'Name a JSONL file of records.' });
}

/** A video that cannot be used is listed and passed over; what is stored stays whenever the process ends. */
export async function fillCache(videos: readonly NamedVideo[], options: FillOptions): Promise<FillResult> {
  const { cache, jobs, onProgress } = options;
  const counts: FillCounts = { hits: 0, stored: 0, notStored: 0, failed: 0 };
  const failures: FailedVideo[] = [];
  let next = 0;
  const work = async () => {
    for (let video = videos[next++]; video !== undefined; video = videos[next++]) {
      try {
        counts[await fillOne(video.input, options)]++;
      } catch (error) {
        if (!(error instanceof DataError)) {
          next = videos.length;
          throw error;
        }
        counts.failed++;
        const path = videoKey(video.input).split('\n')[0] ?? '';
        failures.push({ id: video.id, path, code: error.code, message: error.message });
      }
      onProgress?.(counts);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  failures.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { ...counts, videos: videos.length, bytes: cache.store.writtenBytes, failures };
}

async function fillOne(input: VideoInput, { model, frames, cache }: FillOptions): Promise<keyof FillCounts> {
  const slot = await cache.slotOf(input, isPictures(input) ? 'image' : 'video');
  if (slot !== null && (await cache.store.has(slot.key))) return 'hits';
  if (slot !== null && !cache.store.accepts) return 'notStored';
  const decoded = await frames(input);
  const features = model.encodeFrames(decoded);
  decoded.release?.();
  try {
    return slot !== null && (await cache.put(input, slot, toHost(features))) ? 'stored' : 'notStored';
  } finally {
    features.dispose();
  }
}
