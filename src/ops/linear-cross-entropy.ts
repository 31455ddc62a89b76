import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { withInt32 } from './int32-input.js';
import { runKernel } from './kernel.js';
import { ANY, checkIndices, checkLength, checkTensor, shapeError } from './shape-check.js';

/** The label of a token without a loss, as in PyTorch. */
export const IGNORED_LABEL = -100;

export interface LinearCrossEntropyOptions {
  /** Share of the target spread evenly over the vocabulary, 0 <= e <= 1. */
  readonly labelSmoothing: number;
  /**
   * Says that the weight is not trained: the forward pass then makes the gradient of the hidden states while it has the
   * logits, and the backward pass only scales its rows (Hsu et al. 2024, "Liger kernel"). No result depends on it but for rounding.
   */
  readonly frozenWeight?: boolean;
}

defineGradient(
  'MimicLinearCrossEntropy',
  { inputs: ['hidden', 'weight', 'labels'], output: true },
  (dy, attrs, hidden, weight, labels, loss) => ({
    hidden: () => runKernel('MimicLinearCrossEntropyGradHidden', { dy, hidden, weight, labels, loss }, attrs),
    weight: () => runKernel('MimicLinearCrossEntropyGradWeight', { dy, hidden, weight, labels }, attrs),
  }),
);

/** The definition, which builds all logits. */
function composedLoss(
  hidden_NC: tf.Tensor,
  weight_VC: tf.Tensor,
  labels: Int32Array,
  labelSmoothing: number,
): tf.Tensor {
  const logProbs_NV = tf.logSoftmax(tf.matMul(hidden_NC, weight_VC, false, true));
  const labels_N = tf.tensor1d(
    labels.map((label) => Math.max(label, 0)),
    'int32',
  );
  // Cast from int32: the wasm kernel writes integer bits into a float32 one-hot.
  const isLabel_NV = tf.cast(tf.oneHot(labels_N, weight_VC.shape[0] ?? 0), 'float32');
  const labelLogProb_N = tf.sum(tf.mul(logProbs_NV, isLabel_NV), 1);
  const meanLogProb_N = tf.mean(logProbs_NV, 1);
  const smoothed_N = tf.add(tf.mul(labelLogProb_N, 1 - labelSmoothing), tf.mul(meanLogProb_N, labelSmoothing));
  const negatedUnlessIgnored = Float32Array.from(labels, (label) => (label === IGNORED_LABEL ? 0 : -1));
  return tf.mul(smoothed_N, tf.tensor1d(negatedUnlessIgnored));
}

/**
 * Cross-entropy of a linear classifier, a token at a time: (1 - e) * nll + e * mean over the vocabulary of -log p.
 *
 * The fused kernel works through rows in chunks, so the N x V logits never exist at once.
 *
 * @param hidden_NC [N, C] float32
 * @param weight_VC [V, C], the output head
 * @param labels N labels, each in [0, V) or -100 for a loss of 0
 * @returns loss_N, not averaged
 * @throws ShapeError when C or N differ, a label is out of range or the smoothing is outside [0, 1]
 * @source Szegedy et al. 2016, section 7; torch.nn.CrossEntropyLoss for the convention
 */
export function linearCrossEntropy(
  hidden_NC: tf.Tensor,
  weight_VC: tf.Tensor,
  labels: Int32Array,
  { labelSmoothing, frozenWeight = false }: LinearCrossEntropyOptions,
): tf.Tensor {
  const op = 'linearCrossEntropy';
  checkTensor(op, 'hidden_NC', hidden_NC, [ANY, ANY]);
  const [tokens = 0, channels = 0] = hidden_NC.shape;
  checkTensor(op, 'weight_VC', weight_VC, [ANY, channels]);
  checkLength(op, 'labels', labels, tokens);
  checkIndices(op, 'labels', labels, weight_VC.shape[0] ?? 0, IGNORED_LABEL);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw shapeError(op, 'labelSmoothing', `${labelSmoothing}`, 'a number from 0 to 1');
  }
  const keepGradient = frozenWeight && tf.engine().isTapeOn();
  return withInt32(labels, [tokens], (labels_N) =>
    runFused(
      'MimicLinearCrossEntropy',
      { hidden: hidden_NC, weight: weight_VC, labels: labels_N },
      { labelSmoothing, keepGradient },
      () => composedLoss(hidden_NC, weight_VC, labels, labelSmoothing),
    ),
  );
}
