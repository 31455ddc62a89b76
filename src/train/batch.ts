import type { TokenizedSample } from '../data/prompt.js';
import type { VideoFeatures } from '../model/video-features.js';

/** Which answers weigh how much: every token the same, every answer the same, or in between (InternVL's `square`). */
export type LossReduction = 'token' | 'answer' | 'square';

/** One training sample ready for the device: its tokens, and the features of its video or pictures when it has any. */
export interface TrainingSample {
  readonly id: string;
  readonly tokens: TokenizedSample;
  readonly features: VideoFeatures | null;
}

/** Samples padded on the right to one length, or packed into one row; rows, labels and weights of the supervised tokens only. */
export interface Batch {
  /** Ids of the samples, for messages. */
  readonly sampleIds: readonly string[];
  readonly ids: Int32Array;
  readonly batch: number;
  readonly length: number;
  /** Lengths of the samples of a packed batch, whose one row they fill; absent when each has a row of its own. */
  readonly segments?: readonly number[];
  /** Those of the samples that have some, in the order of their placeholders in `ids`. */
  readonly features: readonly VideoFeatures[];
  /** Row of `hidden [B * L, C]` that predicts each supervised token: the one before it. */
  readonly rows: Int32Array;
  readonly labels: Int32Array;
  /** Unnormalised weight of each supervised token. */
  readonly weights: Float32Array;
}

const IGNORED = -100;

/** Each sample in a row of its own, padded to the longest. */
export function collate(samples: readonly TrainingSample[], reduction: LossReduction): Batch {
  const length = Math.max(...samples.map((sample) => sample.tokens.ids.length));
  const starts = samples.map((_, b) => b * length);
  return { ...laidOut(samples, starts, samples.length * length, reduction), batch: samples.length, length };
}

/** All samples in one row, end to end: no token is padding. Loss and gradients are those of `collate`. */
export function collatePacked(samples: readonly TrainingSample[], reduction: LossReduction): Batch {
  const segments = samples.map((sample) => sample.tokens.ids.length);
  let length = 0;
  const starts = segments.map((segment) => {
    length += segment;
    return length - segment;
  });
  return { ...laidOut(samples, starts, length, reduction), batch: 1, length, segments };
}

/** @param starts where each sample begins in the row-major ids */
function laidOut(
  samples: readonly TrainingSample[],
  starts: readonly number[],
  size: number,
  reduction: LossReduction,
) {
  const ids = new Int32Array(size);
  const rows: number[] = [];
  const labels: number[] = [];
  const weights: number[] = [];
  for (const [b, { tokens }] of samples.entries()) {
    const start = starts[b] ?? 0;
    ids.set(tokens.ids, start);
    const tokensOfTurn = countByTurn(tokens);
    for (let i = 1; i < tokens.ids.length; i++) {
      const label = tokens.labels[i] ?? IGNORED;
      if (label === IGNORED) continue;
      const answerLength = tokensOfTurn.get(tokens.answerTurn[i] ?? -1) ?? 1;
      rows.push(start + i - 1);
      labels.push(label);
      weights.push(reduction === 'token' ? 1 : reduction === 'answer' ? 1 / answerLength : answerLength ** -0.5);
    }
  }
  return {
    sampleIds: samples.map(({ id }) => id),
    ids,
    // A prompt that leaves no room for the video (layout none) reads none of its features.
    features: samples
      .map(({ features, tokens }) => (tokens.numVisual > 0 ? features : null))
      .filter((features) => features !== null),
    rows: Int32Array.from(rows),
    labels: Int32Array.from(labels),
    weights: Float32Array.from(weights),
  };
}

/** Sum of the weights: what a loss is divided by, over all micro-batches of a step. */
export function totalWeight(batches: readonly Batch[]): number {
  return batches.reduce((total, batch) => total + batch.weights.reduce((sum, weight) => sum + weight, 0), 0);
}

function countByTurn(tokens: TokenizedSample): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [i, label] of tokens.labels.entries()) {
    if (label === IGNORED) continue;
    const turn = tokens.answerTurn[i] ?? -1;
    counts.set(turn, (counts.get(turn) ?? 0) + 1);
  }
  return counts;
}
