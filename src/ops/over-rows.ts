import * as tf from '@tensorflow/tfjs-core';
import { reshape } from './kernel.js';

/** Applies `run`, a map of rows [M, I] -> [M, O], to the last axis of x [..., I]. Leaves nothing but the result. */
export function overRows(x: tf.Tensor, run: (x_MI: tf.Tensor) => tf.Tensor): tf.Tensor {
  if (x.rank === 2) return run(x);
  const leading = x.shape.slice(0, -1);
  const x_MI = reshape(x, [tf.util.sizeFromShape(leading), x.shape.at(-1) ?? 0]);
  const y_MO = run(x_MI);
  const y = reshape(y_MO, [...leading, y_MO.shape[1] ?? 0]);
  x_MI.dispose();
  y_MO.dispose();
  return y;
}
