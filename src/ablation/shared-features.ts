/** The frozen encoders of a base by themselves: what all its variants see, computed once. */
import { baseLoads } from '../model/checkpoints/model-folders.js';
import { loadWeightsFrom } from '../model/load.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import type { RunConfig } from '../train/config.js';
import type { FeatureSource, FrameSource } from '../train/features/feature-source.js';
import { featureSource } from '../train/features/open-features.js';

export interface SharedFeatures {
  readonly features: FeatureSource;
  dispose(): void;
}

/**
 * Encodes with the full model's encoders. A variant without a temporal branch takes the spatial features alone, which do not
 * depend on the other branch.
 *
 * @param config of the full model, on its base; `out` is where a disk cache lies that is not set otherwise
 */
export async function sharedFeatures(config: RunConfig, frames: FrameSource): Promise<SharedFeatures> {
  const model = new MimicChatModel(config.model);
  try {
    // Nothing is trained: encoders are stored as a run stores its frozen ones.
    for (const { path, ...options } of baseLoads(config.model, config.base, config.temporalBase)) {
      await loadWeightsFrom(path, model, options);
    }
  } catch (error) {
    model.dispose();
    throw error;
  }
  for (const parameter of model.parameters.list()) if (!parameter.part.endsWith('encoder')) parameter.dispose();
  const features = featureSource(config, model, frames);
  return {
    features,
    dispose() {
      features.dispose();
      model.dispose();
    },
  };
}
