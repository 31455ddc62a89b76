import * as tf from '@tensorflow/tfjs-core';
import type { MimicChatModel } from '../model/mimic-chat.js';
import { gatherRows } from '../ops/index.js';
import type { Batch } from './batch.js';
import { decodeOptions, inputEmbeddings } from './language-loss.js';

/**
 * Share of supervised letters whose likelihood is the highest among the letters, one forward pass a batch.
 *
 * @param letterIds ids of A, B, C, D; supervised tokens that are no letter are left out
 * @returns right and asked, so that callers can pool batches
 */
export function choiceAccuracy(
  model: MimicChatModel,
  batch: Batch,
  letterIds: readonly number[],
): { right: number; asked: number } {
  const asked = [...batch.labels.keys()].filter((i) => letterIds.includes(batch.labels[i] ?? -1));
  if (asked.length === 0) return { right: 0, asked: 0 };
  const rows = Int32Array.from(asked, (i) => batch.rows[i] ?? 0);
  const logits = tf.tidy(() => {
    const hidden = model.decode(inputEmbeddings(model, batch), decodeOptions(batch, {}));
    const [, , c] = hidden.shape;
    return model.logits(gatherRows(tf.reshape(hidden, [-1, c]), rows) as tf.Tensor2D);
  });
  const values = logits.dataSync();
  const vocabSize = logits.shape[1];
  logits.dispose();
  let right = 0;
  for (const [row, i] of asked.entries()) {
    const score = (id: number) => values[row * vocabSize + id] ?? Number.NEGATIVE_INFINITY;
    const best = letterIds.reduce((a, b) => (score(b) > score(a) ? b : a));
    if (best === batch.labels[i]) right++;
  }
  return { right, asked: asked.length };
}
