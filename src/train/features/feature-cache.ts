/** The disk cache as training sees it: a video in, its features out. */
import { join } from 'node:path';
import { log } from '../../base/logger.js';
import { type VideoInput, videoKey } from '../../data/video/open-video.js';
import type { SamplingConfig } from '../../data/video/sampling.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import { type Content, ContentHashes } from './content-hashes.js';
import { encoderHash } from './encoder-hash.js';
import { featureKey, featureRecipe } from './feature-key.js';
import { FeatureStore, type StoreOptions } from './feature-store.js';
import { HashIndex } from './hash-index.js';
import type { HostFeatures } from './host-features.js';

/** Where features of a video are, or would be. */
export interface CacheSlot {
  readonly key: string;
  readonly content: Content;
}

export class FeatureCache {
  readonly store: FeatureStore;
  readonly contents: ContentHashes;
  private weights: string | undefined;
  private readonly recipes = new Map<HostFeatures['kind'], string>();

  /** The model's encoders need values when the first video is looked up, not before, and keep them. */
  constructor(
    private readonly model: MimicChatModel,
    private readonly sampling: SamplingConfig,
    options: StoreOptions,
  ) {
    this.store = new FeatureStore(options);
    this.contents = new ContentHashes(new HashIndex(join(options.dir, 'index')), (error) => this.store.stop(error));
  }

  /** @returns null when the video's files cannot be read */
  async slotOf(input: VideoInput, kind: HostFeatures['kind'] = 'video'): Promise<CacheSlot | null> {
    const content = await this.contents.of(input);
    if (content === null) return null;
    return { key: featureKey(this.recipe(kind), content.sha256), content };
  }

  /** @returns null when they are not there */
  get({ key }: CacheSlot): Promise<HostFeatures | null> {
    return this.store.get(key);
  }

  /** Stores what was computed from the files, unless they changed since they were hashed. @returns whether it was stored */
  async put(input: VideoInput, { key, content }: CacheSlot, features: HostFeatures): Promise<boolean> {
    if (await this.contents.isUnchanged(input, content)) return this.store.put(key, features);
    log.warnOnce('videos that change', `${videoKey(input).split('\n')[0]} changed while it was read; not cached`);
    return false;
  }

  private recipe(kind: HostFeatures['kind']): string {
    const known = this.recipes.get(kind);
    if (known !== undefined) return known;
    this.weights ??= encoderHash(this.model);
    const recipe = featureRecipe(this.model, this.sampling, { weights: this.weights, kind });
    this.recipes.set(kind, recipe);
    return recipe;
  }
}
