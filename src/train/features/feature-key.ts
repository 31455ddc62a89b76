/** What decides the features of a video: everything else may change without the cache noticing. */
import * as tf from '@tensorflow/tfjs-core';
import { sha256 } from '../../base/hash.js';
import type { SamplingConfig } from '../../data/video/sampling.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import { workStorage } from '../../ops/index.js';
import type { HostFeatures } from './host-features.js';

/** Raise it when decoding, resizing or encoding gives other values for the same input. */
const CACHE_VERSION = 1;

/**
 * @param weights `encoderHash(model)`
 * @returns SHA-256 of kind, sampling, both branches' sizes and normalisation, the encoders' weights, and where and in what precision they
 * compute: another backend's last bits differ, and a run must not depend on who filled the cache.
 */
export function featureRecipe(
  model: MimicChatModel,
  sampling: SamplingConfig,
  { weights, kind }: { readonly weights: string; readonly kind: HostFeatures['kind'] },
): string {
  const { positionStd: _s, maxTiles, thumbnail, ...spatial } = model.config.spatial;
  const { positionStd: _t, ...temporal } = model.config.temporal;
  const hasTemporal = model.temporalEncoder !== null;
  // Nothing looks at the full sequence without its encoder, so it may be taken in any way.
  const { temporal: sequence, ...frames } = sampling;
  return sha256(
    canonical({
      version: CACHE_VERSION,
      sampling: hasTemporal ? { ...frames, temporal: sequence } : frames,
      spatial,
      temporal: hasTemporal ? temporal : null,
      tiles: kind === 'image' ? { maxTiles, thumbnail } : null,
      kind,
      weights,
      backend: tf.getBackend(),
      precision: workStorage(),
    }),
  );
}

/** The name of an entry: 64 hexadecimal digits. */
export function featureKey(recipe: string, contentSha256: string): string {
  return sha256(canonical({ recipe, content: contentSha256 }));
}

/** JSON whose keys are sorted, at every depth. */
function canonical(value: object): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
