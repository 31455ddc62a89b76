/** Visual tokens of a batch in which videos stand beside pictures, or pictures of different numbers of tiles. */
import * as tf from '@tensorflow/tfjs-core';
import type { MimicChatModel } from './mimic-chat.js';
import type { VideoFeatures } from './video-features.js';

export interface MixedVisualTokens {
  /** [B, V, C] when all inputs are alike, else all their tokens in one row, group after group. */
  readonly visual_BVC: tf.Tensor3D;
  /** Where the tokens of the inputs, in the inputs' order, stand in that row; absent when they stand in order. */
  readonly rows?: Int32Array;
}

/** Inputs of one kind and size go through the projectors together. Runs within the caller's tidy. */
export function mixedVisualTokens(model: MimicChatModel, features: readonly VideoFeatures[]): MixedVisualTokens {
  const groups = groupAlike(features);
  if (groups.length === 1) return { visual_BVC: model.visualTokens(features) };
  const starts: number[] = [];
  const counts: number[] = [];
  const tables: tf.Tensor[] = [];
  let placed = 0;
  for (const group of groups) {
    const tokens = model.visualTokens(group.map(({ input }) => input));
    const [batch, count, c] = tokens.shape;
    tables.push(tf.reshape(tokens, [1, batch * count, c]));
    for (const { index } of group) {
      starts[index] = placed;
      counts[index] = count;
      placed += count;
    }
  }
  const rows = starts.flatMap((start, i) => Array.from({ length: counts[i] ?? 0 }, (_, token) => start + token));
  return { visual_BVC: tf.concat(tables, 1) as tf.Tensor3D, rows: Int32Array.from(rows) };
}

/** Groups in the order of their first inputs. */
function groupAlike(features: readonly VideoFeatures[]): { index: number; input: VideoFeatures }[][] {
  const groups = new Map<string, { index: number; input: VideoFeatures }[]>();
  for (const [index, input] of features.entries()) {
    const key = `${input.kind} ${input.spatial_ND.shape[0]}`;
    groups.set(key, [...(groups.get(key) ?? []), { index, input }]);
  }
  return [...groups.values()];
}
