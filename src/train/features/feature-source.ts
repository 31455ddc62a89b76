import { isPictures, type VideoInput, videoKey } from '../../data/video/open-video.js';
import type { VideoFrames } from '../../model/frames.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import type { VideoFeatures } from '../../model/video-features.js';
import type { CacheSlot, FeatureCache } from './feature-cache.js';
import { byteLength, toDevice, toHost } from './feature-tensors.js';
import type { HostFeatures } from './host-features.js';

/** Features on their way to the disk; more wait for the disk. */
const MAX_STORING_BYTES = 2 ** 28;

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
  private readonly lookups = new Set<Promise<unknown>>();
  /** Writes to the disk cache that have not ended. */
  private readonly storing = new Map<string, Promise<unknown>>();
  private storingBytes = 0;
  private storeError: unknown;
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
    private readonly disk: Pick<FeatureCache, 'slotOf' | 'get' | 'put'> | null = null,
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

  /** Resolves when all that was asked for so far is either in memory or being decoded; never rejects. */
  async lookedUp(): Promise<void> {
    await Promise.allSettled(this.lookups);
  }

  private async find(input: VideoInput): Promise<Found> {
    const lookup = this.lookUp(input);
    this.lookups.add(lookup);
    const found = await lookup.finally(() => this.lookups.delete(lookup));
    return 'stored' in found ? found : { ...found, frames: await found.frames };
  }

  /** Reads what is stored, else has the video decoded, which it does not wait for. */
  private async lookUp(
    input: VideoInput,
  ): Promise<{ stored: HostFeatures } | { frames: Promise<VideoFrames>; slot: CacheSlot | null }> {
    const { disk } = this;
    // What is on its way to the disk need not be computed again. An error is `settle`'s to report.
    await this.storing.get(videoKey(input))?.catch(() => undefined);
    const slot = disk === null ? null : await disk.slotOf(input, isPictures(input) ? 'image' : 'video');
    const stored = slot === null || disk === null ? null : await disk.get(slot);
    return stored === null ? { frames: this.frames(input), slot } : { stored };
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
    if (found.slot !== null) await this.store(input, found.slot, toHost(features));
    return features;
  }

  /** Stores features while the trainer goes on; waits only when much is still on its way to the disk. */
  private async store(input: VideoInput, slot: CacheSlot, features: HostFeatures): Promise<void> {
    const { disk } = this;
    if (disk === null) return;
    const bytes = features.spatial_ND.data.byteLength + (features.temporal_MD?.data.byteLength ?? 0);
    while (this.storing.size > 0 && this.storingBytes + bytes > MAX_STORING_BYTES) {
      await Promise.race(this.storing.values()).catch(() => undefined);
    }
    const key = videoKey(input);
    const stored = disk.put(input, slot, features).finally(() => {
      if (this.storing.get(key) === stored) this.storing.delete(key);
      this.storingBytes -= bytes;
    });
    stored.catch((error: unknown) => {
      this.storeError ??= error;
    });
    this.storing.set(key, stored);
    this.storingBytes += bytes;
  }

  /** Waits until all that was computed is stored. Rejects with what storing threw first. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.storing.values());
    if (this.storeError !== undefined) throw this.storeError;
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
