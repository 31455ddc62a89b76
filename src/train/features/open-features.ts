/** Where a run's features come from, as its configuration says. */
import * as tf from '@tensorflow/tfjs-core';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import { type RunConfig, samplingOf } from '../config.js';
import { featureCachePlace } from './config.js';
import { FeatureCache } from './feature-cache.js';
import { FeatureSource, type FrameSource } from './feature-source.js';

type CacheConfig = Pick<RunConfig, 'model' | 'video' | 'out' | 'train'>;

/** @returns null when the disk cache is switched off, and in a dry run, whose features are no numbers */
export function openFeatureCache(config: CacheConfig, model: MimicChatModel): FeatureCache | null {
  const place = featureCachePlace(config);
  if (place === null || tf.getBackend() === 'null') return null;
  return new FeatureCache(model, samplingOf(config), place);
}

/** Memory in front of the disk cache in front of the encoders. */
export function featureSource(config: CacheConfig, model: MimicChatModel, frames: FrameSource): FeatureSource {
  const budgetBytes = config.train.featureCacheMiB * 2 ** 20;
  return new FeatureSource(model, frames, budgetBytes, openFeatureCache(config, model));
}
