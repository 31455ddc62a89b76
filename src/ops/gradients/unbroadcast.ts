import * as tf from '@tensorflow/tfjs-core';
import { reshape } from '../kernel.js';

/** Sums a gradient over the axes along which an operand of `shape` was broadcast; `dy` itself when there are none. */
export function unbroadcast(dy: tf.Tensor, shape: number[]): tf.Tensor {
  if (tf.util.arraysEqual(dy.shape, shape)) return dy;
  // The wasm backend leaves a sum over nothing unwritten.
  if (dy.size === 0) return tf.zeros(shape);
  const axes = tf.broadcast_util.getReductionAxes(shape, dy.shape);
  return reshape(axes.length === 0 ? dy : tf.sum(dy, axes), shape);
}
