import type { VideoRecord } from '../record.js';
import type { VideoSource } from './types.js';

/** The part of a record that says where its pixels are. */
export function videoSource(record: VideoRecord): VideoSource {
  const { id, video_path: videoPath = '', frames, frame_times_sec: frameTimesSec } = record;
  if (frames === undefined || frameTimesSec === undefined) return { videoId: id, videoPath };
  return { videoId: id, videoPath, frames, frameTimesSec };
}
