import { DataError } from '../../base/errors.js';
import type { VideoInput } from '../../data/video/open-video.js';
import type { VideoFeatures } from '../../model/video-features.js';
import { DECODED, nameRecord, type Outcome, outcomeOf } from './bad-video.js';
import type { BadVideoSettings } from './settings.js';

/** Where features come from: FeatureSource. */
export interface Features {
  /** One result an input, in order: features, or why there are none. */
  tryTake(inputs: readonly VideoInput[]): Promise<readonly (VideoFeatures | Error)[]>;
}

export interface Taken {
  /** Null where the video is bad. */
  readonly features: VideoFeatures | null;
  readonly outcome: Outcome;
}

/**
 * Features of every video that has them.
 *
 * @throws what is no video's fault; under the policy `error` also the first video's
 */
export async function takeGood(
  source: Features,
  samples: readonly { readonly id: string; readonly video: VideoInput }[],
  { badVideo }: Pick<BadVideoSettings, 'badVideo'>,
): Promise<Taken[]> {
  const results = await source.tryTake(samples.map(({ video }) => video));
  return results.map((result, i) => {
    if (!(result instanceof Error)) return { features: result, outcome: DECODED };
    return { features: null, outcome: judge(samples[i]?.id ?? '', result, badVideo) };
  });
}

/** What an error says of a record's files. @throws the error when it is not their fault, or the policy is `error` */
export function judge(id: string, error: unknown, policy: BadVideoSettings['badVideo']): Outcome {
  const outcome = outcomeOf(error);
  if (outcome === undefined) throw error;
  if (policy === 'error') throw error instanceof DataError ? nameRecord(id, error) : error;
  return outcome;
}
