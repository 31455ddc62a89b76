import * as tf from '@tensorflow/tfjs-core';
import { hasFused, runFused } from './fused.js';
import { runMultiKernel } from './kernel.js';
import { checkTensor, shapeError } from './shape-check.js';

export interface AdamWTensors {
  readonly param: tf.Tensor;
  readonly grad: tf.Tensor;
  /** Running mean of the gradient. */
  readonly m: tf.Tensor;
  /** Running mean of the squared gradient. */
  readonly v: tf.Tensor;
}

export interface AdamWOptions {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  /** Added to the root, as PyTorch does. */
  readonly eps: number;
  readonly weightDecay: number;
  /** Number of this update, from 1. */
  readonly step: number;
  /** Multiplies the gradient first: clipping and the inverse of accumulation in one factor. */
  readonly gradScale: number;
}

/** @returns the bias-corrected update in stock ops. */
function composedAdamW({ param, grad, m, v }: AdamWTensors, options: AdamWOptions): tf.Tensor[] {
  const { lr, beta1, beta2, eps, weightDecay, step, gradScale } = options;
  const scaled = tf.mul(grad, gradScale);
  const nextM = tf.add(tf.mul(m, beta1), tf.mul(scaled, 1 - beta1));
  const nextV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(scaled), 1 - beta2));
  const root = tf.mul(tf.sqrt(nextV), 1 / Math.sqrt(1 - beta2 ** step));
  const update = tf.div(tf.mul(nextM, lr / (1 - beta1 ** step)), tf.add(root, eps));
  return [tf.sub(tf.mul(param, 1 - lr * weightDecay), update), nextM, nextV];
}

/**
 * One AdamW update with decoupled weight decay and bias correction.
 *
 * @param tensors float32, all of one shape
 * @returns [param', m', v'], new tensors owned by the caller
 * @throws ShapeError when the shapes differ or step is below 1
 * @source Loshchilov and Hutter 2019, "Decoupled weight decay regularization"; torch.optim.AdamW
 */
export function adamW(tensors: AdamWTensors, options: AdamWOptions): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const { param, grad, m, v } = tensors;
  checkUpdate(tensors, options.step);
  const outputs = runFused<tf.Tensor[]>('MimicAdamW', { param, grad, m, v }, { ...options }, () =>
    composedAdamW(tensors, options),
  );
  return outputs as [tf.Tensor, tf.Tensor, tf.Tensor];
}

/** Of one parameter among many: its tensors and what may differ from the others'. */
export interface AdamWUpdate extends AdamWTensors {
  readonly lr: number;
  readonly weightDecay: number;
  readonly step: number;
}

/**
 * Updates many parameters, where the backend can in one launch and in place: `param`, `m` and `v` of which no other tensor
 * shares the data then hold the new values, too. The caller goes on with the result and disposes them.
 *
 * @returns [param', m', v'] of each, owned by the caller
 * @throws ShapeError as adamW does
 */
export function adamWMany(
  updates: readonly AdamWUpdate[],
  shared: Pick<AdamWOptions, 'beta1' | 'beta2' | 'eps' | 'gradScale'>,
): [tf.Tensor, tf.Tensor, tf.Tensor][] {
  if (updates.length === 0) return [];
  if (!hasFused('MimicAdamWMany')) {
    return updates.map(({ param, grad, m, v, lr, weightDecay, step }) =>
      adamW({ param, grad, m, v }, { ...shared, lr, weightDecay, step }),
    );
  }
  for (const update of updates) checkUpdate(update, update.step);
  const names = ['param', 'grad', 'm', 'v'] as const;
  const inputs = Object.fromEntries(updates.flatMap((update, i) => names.map((name) => [`${name}${i}`, update[name]])));
  const each = (name: 'lr' | 'weightDecay' | 'step') => updates.map((update) => update[name]);
  const attrs = { ...shared, lr: each('lr'), weightDecay: each('weightDecay'), step: each('step') };
  const outputs = runMultiKernel('MimicAdamWMany', inputs, attrs);
  const count = updates.length;
  return updates.map(
    (_, i) => [outputs[i], outputs[count + i], outputs[2 * count + i]] as [tf.Tensor, tf.Tensor, tf.Tensor],
  );
}

function checkUpdate({ param, grad, m, v }: AdamWTensors, step: number): void {
  checkTensor('adamW', 'param', param, param.shape);
  checkTensor('adamW', 'grad', grad, param.shape);
  checkTensor('adamW', 'm', m, param.shape);
  checkTensor('adamW', 'v', v, param.shape);
  if (!(step >= 1)) throw shapeError('adamW', 'step', `${step}`, 'a count from 1');
}
