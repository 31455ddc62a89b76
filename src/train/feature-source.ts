import type { VideoFrames } from '../model/frames.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { VideoFeatures } from '../model/video-features.js';

/** Decodes a video; a run may share one source so that a clip is decoded once. */
export type FrameSource = (path: string) => Promise<VideoFrames>;

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
  prefetch(paths: Iterable<string>): void {
    for (const path of paths) {
      if (this.cache.has(path) || this.decoding.has(path)) continue;
      const frames = this.frames(path);
      // The error is reported by the `take` that needs this video; here it only must not go unhandled.
      frames.catch(() => undefined);
      this.decoding.set(path, frames);
    }
  }

  /** Features of these videos, in order. They stay valid until the next `take`. */
  async take(paths: readonly string[]): Promise<VideoFeatures[]> {
    this.prefetch(paths);
    const taken: VideoFeatures[] = [];
    for (const path of paths) taken.push(await this.one(path));
    this.evict(new Set(paths));
    return taken;
  }

  dispose(): void {
    for (const { features } of this.cache.values()) features.dispose();
    this.cache.clear();
    this.decoding.clear();
    this.bytes = 0;
  }

  private async one(path: string): Promise<VideoFeatures> {
    const known = this.cache.get(path);
    if (known !== undefined) {
      this.cache.delete(path);
      this.cache.set(path, known);
      return known.features;
    }
    const pending = this.decoding.get(path) ?? this.frames(path);
    try {
      const features = this.model.encodeFrames(await pending);
      const bytes = 4 * (features.spatial_ND.size + (features.temporal_MD?.size ?? 0));
      this.cache.set(path, { features, bytes });
      this.bytes += bytes;
      return features;
    } finally {
      this.decoding.delete(path);
    }
  }

  private evict(pinned: ReadonlySet<string>): void {
    for (const [path, { features, bytes }] of this.cache) {
      if (this.bytes <= this.budgetBytes) return;
      if (pinned.has(path)) continue;
      features.dispose();
      this.cache.delete(path);
      this.bytes -= bytes;
    }
  }
}
