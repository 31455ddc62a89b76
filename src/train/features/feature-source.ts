import { isPictures, type VideoInput, videoKey } from '../../data/video/open-video.js';
import type { VideoFrames } from '../../model/frames.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import type { VideoFeatures } from '../../model/video-features.js';
import type { CacheSlot, FeatureCache } from './feature-cache.js';
import { byteLength, toDevice, toHost } from './feature-tensors.js';
import type { HostFeatures } from './host-features.js';

/** Decodes a video; a run may share one source so that a clip is decoded once. */
export interface FrameSource {
  (input: VideoInput): Promise<VideoFrames>;
  /** Told when someone starts and ends waiting for frames: a source that bounds what it decodes ahead goes on meanwhile. */
  readonly setAwaited?: (isAwaited: boolean) => void;
}

/** What a video's features are made of. */
type Found =
  | { readonly stored: HostFeatures }
  /** `slot` says where to store what comes of it; null where nothing is stored. */
  | { readonly frames: VideoFrames; readonly slot: CacheSlot | null };

/**
 * Frozen-encoder features by video: from memory up to a budget, else from the disk cache, else decoded and encoded.
 *
 * In memory the least recently used features go first. Features of the batch at hand are pinned by `take` until the next.
 */
export class FeatureSource {
  private readonly memory = new Map<string, { features: VideoFeatures; bytes: number }>();
  private readonly finding = new Map<string, Promise<Found>>();
  private bytes = 0;
  /** Time spent in the encoders; the rest of `take` is waiting. */
  encodeSec = 0;
  /** How often features came from where. */
  readonly counts = { memory: 0, disk: 0, computed: 0 };

  /** @param disk null where nothing is kept beyond the run */
  constructor(
    private readonly model: MimicChatModel,
    private readonly frames: FrameSource,
    private readonly budgetBytes: number,
    private readonly disk: FeatureCache | null = null,
  ) {}

  /** Starts finding what is not in memory, so that the next batch's videos decode while this one trains. */
  prefetch(inputs: Iterable<VideoInput>): void {
    for (const input of inputs) {
      const key = videoKey(input);
      if (this.memory.has(key) || this.finding.has(key)) continue;
      const found = this.find(input);
      // The error is reported by the `take` that needs this video; here it only must not go unhandled.
      found.catch(() => undefined);
      this.finding.set(key, found);
    }
  }

  /** Features of these videos, in order. They stay valid until the next `take`. */
  async take(inputs: readonly VideoInput[]): Promise<VideoFeatures[]> {
    return (await this.tryTake(inputs)).map((taken) => {
      if (taken instanceof Error) throw taken;
      return taken;
    });
  }

  /** The same, with the error in the place of a video that has none. */
  async tryTake(inputs: readonly VideoInput[]): Promise<(VideoFeatures | Error)[]> {
    this.prefetch(inputs);
    const taken: (VideoFeatures | Error)[] = [];
    for (const input of inputs) {
      const one = this.one(input);
      taken.push(await one.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))));
    }
    this.evict(new Set(inputs.map(videoKey)));
    return taken;
  }

  dispose(): void {
    for (const { features } of this.memory.values()) features.dispose();
    this.memory.clear();
    this.finding.clear();
    this.bytes = 0;
  }

  private async find(input: VideoInput): Promise<Found> {
    const slot = this.disk === null ? null : await this.disk.slotOf(input, isPictures(input) ? 'image' : 'video');
    const stored = slot === null ? null : ((await this.disk?.get(slot)) ?? null);
    return stored === null ? { frames: await this.frames(input), slot } : { stored };
  }

  private async one(input: VideoInput): Promise<VideoFeatures> {
    const key = videoKey(input);
    const known = this.memory.get(key);
    if (known !== undefined) {
      this.counts.memory++;
      this.memory.delete(key);
      this.memory.set(key, known);
      return known.features;
    }
    try {
      const features = await this.make(input, await this.awaited(this.finding.get(key) ?? this.find(input)));
      const bytes = byteLength(features);
      this.memory.set(key, { features, bytes });
      this.bytes += bytes;
      return features;
    } finally {
      this.finding.delete(key);
    }
  }

  private async awaited(found: Promise<Found>): Promise<Found> {
    this.frames.setAwaited?.(true);
    try {
      return await found;
    } finally {
      this.frames.setAwaited?.(false);
    }
  }

  private async make(input: VideoInput, found: Found): Promise<VideoFeatures> {
    if ('stored' in found) {
      this.counts.disk++;
      return toDevice(found.stored);
    }
    this.counts.computed++;
    const started = performance.now();
    const features = this.model.encodeFrames(found.frames);
    this.encodeSec += (performance.now() - started) / 1000;
    found.frames.release?.();
    if (found.slot !== null) await this.disk?.put(input, found.slot, toHost(features));
    return features;
  }

  private evict(pinned: ReadonlySet<string>): void {
    for (const [key, { features, bytes }] of this.memory) {
      if (this.bytes <= this.budgetBytes) return;
      if (pinned.has(key)) continue;
      features.dispose();
      this.memory.delete(key);
      this.bytes -= bytes;
    }
  }
}
