import * as tf from '@tensorflow/tfjs-core';
import { composedAttention } from './attention-composed.js';
import { defineGradient } from './define-gradient.js';
import { hasFused, runFused } from './fused.js';
import { runKernel, runMultiKernel } from './kernel.js';
import { firstTokens } from './kv-cache.js';
import { ANY, checkTensor, shapeError } from './shape-check.js';

export interface AttentionOptions {
  /** Query i sees keys j <= i + (S - T) only: the queries are the last T of S positions. */
  readonly causal: boolean;
  /** Multiplies q.k; default 1 / sqrt(D). */
  readonly scale?: number | undefined;
  /** Of the S positions of k and v only the first `keys` take part: they are a cache with room to grow. Then not differentiable. */
  readonly keys?: number | undefined;
  /** As `keys`, held by an int32 tensor [1] on the device: for work that is recorded once and runs again. */
  readonly keyCount_1?: tf.Tensor | undefined;
  /** int32 [B, S]: 1 keeps a key, 0 hides it from every query. */
  readonly keyMask_BS?: tf.Tensor | undefined;
}

/** dq, dk, dv; one kernel makes all three, and all three are on the path whenever one is. */
function attentionGradients(inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap): [tf.Tensor, tf.Tensor, tf.Tensor] {
  if (attrs['isCache'] === true) throw new TypeError('attention: got keys of a cache, which have no gradient');
  const [dq, dk, dv] = runMultiKernel('MimicAttentionGrad', inputs, attrs);
  if (dq === undefined || dk === undefined || dv === undefined) {
    throw new RangeError('MimicAttentionGrad: expected three outputs');
  }
  return [dq, dk, dv];
}

defineGradient('MimicAttention', { inputs: ['q', 'k', 'v'], output: true }, (dy, attrs, q, k, v, o) => {
  const [dq, dk, dv] = attentionGradients({ dy, q, k, v, o }, attrs);
  return { q: () => dq, k: () => dk, v: () => dv };
});

/** The registry saves only inputs that are always given, so the optional mask needs a gradient of its own. */
function maskedAttention(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  optional: { keyMask: tf.Tensor; keyCount?: tf.Tensor },
  attrs: tf.NamedAttrMap,
): tf.Tensor {
  const { keyMask } = optional;
  const run = tf.customGrad((...args) => {
    const save = args.at(-1);
    const o = runKernel('MimicAttention', { q, k, v, ...optional }, attrs);
    if (typeof save === 'function') save([q, k, v, o, keyMask]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [savedQ, savedK, savedV, savedO, savedMask] = saved as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      return attentionGradients({ dy, q: savedQ, k: savedK, v: savedV, o: savedO, keyMask: savedMask }, attrs);
    };
    return { value: o, gradFunc };
  });
  return run(q, k, v);
}

/**
 * Scaled dot-product attention with grouped key and value heads: query head h reads key head floor(h / (H / G)).
 *
 * A query that sees no key gives zeros.
 *
 * @param q_BTHD [B, T, H, D] float32
 * @param k_BSGD [B, S, G, D], G divides H
 * @param v_BSGD [B, S, G, D]
 * @returns [B, T, H, D]
 * @throws ShapeError when B, S, G or D differ, G does not divide H, there is no key at all, or `keys` is not within S
 * @source Vaswani et al. 2017, section 3.2.1; Ainslie et al. 2023, "GQA"
 */
export function attention(
  q_BTHD: tf.Tensor,
  k_BSGD: tf.Tensor,
  v_BSGD: tf.Tensor,
  options: AttentionOptions,
): tf.Tensor {
  const { causal, keyMask_BS } = options;
  checkTensor('attention', 'q_BTHD', q_BTHD, [ANY, ANY, ANY, ANY]);
  const [batch = 0, , heads = 0, headDim = 0] = q_BTHD.shape;
  checkTensor('attention', 'k_BSGD', k_BSGD, [batch, ANY, ANY, headDim]);
  checkTensor('attention', 'v_BSGD', v_BSGD, k_BSGD.shape);
  const [, keyTime = 0, groups = 0] = k_BSGD.shape;
  if (groups === 0 || heads % groups !== 0) {
    throw shapeError('attention', 'G of k_BSGD', `${groups}`, `a divisor of the ${heads} query heads`);
  }
  if (keyTime === 0) throw shapeError('attention', 'S of k_BSGD', '0', 'at least 1');
  const { keys, keyCount_1 } = options;
  if (keys !== undefined && !(keys >= 1 && keys <= keyTime)) {
    throw shapeError('attention', 'keys', `${keys}`, `1 to the ${keyTime} positions of k_BSGD`);
  }
  if (keyCount_1 !== undefined) checkTensor('attention', 'keyCount_1', keyCount_1, [1], 'int32');
  const cached = keys === undefined && keyCount_1 === undefined ? {} : { keys: keys ?? keyTime, isCache: true };
  const attrs = { causal, scale: options.scale ?? headDim ** -0.5, ...cached };
  const count = keyCount_1 === undefined ? {} : { keyCount: keyCount_1 };
  if (keyMask_BS !== undefined) {
    checkTensor('attention', 'keyMask_BS', keyMask_BS, [batch, keyTime], 'int32');
    if (hasFused('MimicAttention'))
      return maskedAttention(q_BTHD, k_BSGD, v_BSGD, { keyMask: keyMask_BS, ...count }, attrs);
  }
  return runFused('MimicAttention', { q: q_BTHD, k: k_BSGD, v: v_BSGD, ...count }, attrs, () => {
    const seen = keyCount_1?.dataSync()[0] ?? keys ?? keyTime;
    const mask = keyMask_BS === undefined ? undefined : tf.slice(keyMask_BS, [0, 0], [batch, seen]);
    if (seen === keyTime) return composedAttention(q_BTHD, k_BSGD, v_BSGD, attrs, mask);
    return composedAttention(q_BTHD, firstTokens(k_BSGD, seen), firstTokens(v_BSGD, seen), attrs, mask);
  });
}
