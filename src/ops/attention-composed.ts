import * as tf from '@tensorflow/tfjs-core';

/** float32 [T, S]: 1 where query i may see key j, that is j <= i + (S - T). */
function causalMask(time: number, keyTime: number): tf.Tensor {
  const mask = new Float32Array(time * keyTime);
  for (let i = 0; i < time; i++) {
    const visible = Math.min(keyTime, Math.max(0, i + 1 + keyTime - time));
    mask.fill(1, i * keyTime, i * keyTime + visible);
  }
  return tf.tensor(mask, [1, 1, time, keyTime], 'float32');
}

/** Attention in stock ops, with all scores in memory; shapes as in `attention`, already checked. */
export function composedAttention(
  q_BTHD: tf.Tensor,
  k_BSGD: tf.Tensor,
  v_BSGD: tf.Tensor,
  { causal, scale }: { causal: boolean; scale: number },
  keyMask_BS: tf.Tensor | undefined,
): tf.Tensor {
  const [batch, time, heads, headDim] = q_BTHD.shape as [number, number, number, number];
  const [, keyTime, groups] = k_BSGD.shape as [number, number, number, number];
  // Query heads of one group lie side by side: [B, G, H/G * T, D] lets every group share its keys in one product.
  const grouped = [batch, groups, (heads / groups) * time, headDim];
  const q = tf.reshape(tf.transpose(tf.mul(q_BTHD, scale), [0, 2, 1, 3]), grouped);
  const k = tf.transpose(k_BSGD, [0, 2, 1, 3]);
  const v = tf.transpose(v_BSGD, [0, 2, 1, 3]);
  const scores_BHTS = tf.reshape(tf.matMul(q, k, false, true), [batch, heads, time, keyTime]);

  let keep: tf.Tensor | undefined = causal ? causalMask(time, keyTime) : undefined;
  if (keyMask_BS !== undefined) {
    const keepKeys = tf.reshape(tf.cast(keyMask_BS, 'float32'), [batch, 1, 1, keyTime]);
    keep = keep === undefined ? keepKeys : tf.mul(keep, keepKeys);
  }
  let probs =
    keep === undefined ? tf.softmax(scores_BHTS) : tf.softmax(tf.add(scores_BHTS, tf.mul(tf.sub(keep, 1), 1e30)));
  // A row without a visible key is uniform after the softmax; the product makes it zero.
  if (keep !== undefined) probs = tf.mul(probs, keep);

  const mixed = tf.matMul(tf.reshape(probs, [batch, groups, (heads / groups) * time, keyTime]), v);
  return tf.transpose(tf.reshape(mixed, [batch, heads, time, headDim]), [0, 2, 1, 3]);
}
