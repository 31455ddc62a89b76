import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from './kernel.js';
import { checkTensor } from './shape-check.js';
import { withGradient } from './with-gradient.js';

/**
 * x + update, of one shape. Unlike `tf.add`, whose gradient may have to sum over broadcast axes, it has the tape keep
 * neither operand.
 *
 * @param x [...] float32
 * @param update the same shape
 * @returns the same shape
 * @throws ShapeError when the shapes differ
 */
export function addResidual(x: tf.Tensor, update: tf.Tensor): tf.Tensor {
  checkTensor('addResidual', 'update', update, x.shape);
  const run = () => runKernel('Add', { a: x, b: update });
  if (!tf.engine().isTapeOn()) return run();
  return withGradient([x, update], run, (dy) => [dy.clone(), dy.clone()]);
}
