import { type VideoInput, videoKey } from '../data/video/open-video.js';
import type { VideoFrames } from '../model/frames.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { VideoFeatures } from '../model/video-features.js';

/** Decodes a video; a run may share one source so that a clip is decoded once. */
export type FrameSource = (input: VideoInput) => Promise<VideoFrames>;

/**
 * Frozen-encoder features by video, kept in memory up to a budget: from the second visit on a video costs nothing.
 *
 * The least recently used features go first. Features of the batch at hand are pinned by `take` until `release`.
 */
export class FeatureSource {
  private readonly cache = new Map<string, { features: VideoFeatures; bytes: number }>();
  private readonly decoding = new Map<string, Promise<VideoFrames>>();
  private bytes = 0;

  constructor(
    private readonly model: MimicChatModel,
    private readonly frames: FrameSource,
    private readonly budgetBytes: number,
  ) {}

  /** Starts decoding what is not known yet, so that the next batch's videos decode while this one trains. */
  prefetch(inputs: Iterable<VideoInput>): void {
    for (const input of inputs) {
      const key = videoKey(input);
      if (this.cache.has(key) || this.decoding.has(key)) continue;
      const frames = this.frames(input);
      // The error is reported by the `take` that needs this video; here it only must not go unhandled.
      frames.catch(() => undefined);
      this.decoding.set(key, frames);
    }
  }

  /** Features of these videos, in order. They stay valid until the next `take`. */
  async take(inputs: readonly VideoInput[]): Promise<VideoFeatures[]> {
    this.prefetch(inputs);
    const taken: VideoFeatures[] = [];
    for (const input of inputs) taken.push(await this.one(input));
    this.evict(new Set(inputs.map(videoKey)));
    return taken;
  }

  dispose(): void {
    for (const { features } of this.cache.values()) features.dispose();
    this.cache.clear();
    this.decoding.clear();
    this.bytes = 0;
  }

  private async one(input: VideoInput): Promise<VideoFeatures> {
    const key = videoKey(input);
    const known = this.cache.get(key);
    if (known !== undefined) {
      this.cache.delete(key);
      this.cache.set(key, known);
      return known.features;
    }
    const pending = this.decoding.get(key) ?? this.frames(input);
    try {
      const features = this.model.encodeFrames(await pending);
      const bytes = 4 * (features.spatial_ND.size + (features.temporal_MD?.size ?? 0));
      this.cache.set(key, { features, bytes });
      this.bytes += bytes;
      return features;
    } finally {
      this.decoding.delete(key);
    }
  }

  private evict(pinned: ReadonlySet<string>): void {
    for (const [key, { features, bytes }] of this.cache) {
      if (this.bytes <= this.budgetBytes) return;
      if (pinned.has(key)) continue;
      features.dispose();
      this.cache.delete(key);
      this.bytes -= bytes;
    }
  }
}
