/** A cache of keys or values [B, capacity, G, D] with room to grow. */
import * as tf from '@tensorflow/tfjs-core';
import { runFused } from './fused.js';
import { ANY, checkTensor, shapeError } from './shape-check.js';

/**
 * Writes the next tokens' keys or values into a cache: in place where the backend can, so the old tensor then shows them too.
 * The caller goes on with the result and disposes `cache`. Not differentiable.
 *
 * @param cache_BSGD [B, capacity, G, D] float32
 * @param x_BTGD [B, T, G, D]
 * @param position where the first of the T tokens goes; or an int32 tensor [1] that holds it, which recorded work reads anew
 * @returns the cache with the tokens in it
 * @throws ShapeError when B, G or D differ or the tokens do not fit at a position that is known here
 */
export function kvAppend(cache_BSGD: tf.Tensor, x_BTGD: tf.Tensor, position: number | tf.Tensor): tf.Tensor {
  checkTensor('kvAppend', 'cache_BSGD', cache_BSGD, [ANY, ANY, ANY, ANY]);
  const [batch = 0, capacity = 0, groups = 0, headDim = 0] = cache_BSGD.shape;
  checkTensor('kvAppend', 'x_BTGD', x_BTGD, [batch, ANY, groups, headDim]);
  const [, time = 0] = x_BTGD.shape;
  const isKnown = typeof position === 'number';
  if (isKnown && !(position >= 0 && position + time <= capacity)) {
    throw shapeError(
      'kvAppend',
      'position',
      `${position}`,
      `0 to ${capacity - time}, for ${time} tokens of ${capacity}`,
    );
  }
  if (!isKnown) checkTensor('kvAppend', 'position', position, [1], 'int32');
  const inputs = { cache: cache_BSGD, x: x_BTGD };
  return isKnown
    ? runFused('MimicKvAppend', inputs, { position }, () => composedAppend(cache_BSGD, x_BTGD, position))
    : runFused('MimicKvAppend', { ...inputs, position }, {}, () =>
        composedAppend(cache_BSGD, x_BTGD, position.dataSync()[0] ?? 0),
      );
}

function composedAppend(cache: tf.Tensor, x: tf.Tensor, position: number): tf.Tensor {
  const after = position + (x.shape[1] ?? 0);
  const rest = [cache.shape[0] ?? 0, (cache.shape[1] ?? 0) - after, -1, -1];
  return tf.concat([firstTokens(cache, position), x, tf.slice(cache, [0, after, 0, 0], rest)], 1);
}

/** [B, length, G, D] */
export function firstTokens(x_BSGD: tf.Tensor, length: number): tf.Tensor {
  return tf.slice(x_BSGD, [0, 0, 0, 0], [x_BSGD.shape[0] ?? 0, length, -1, -1]);
}

/**
 * A copy with another capacity that keeps the first `length` tokens; zeros behind them. Not differentiable.
 *
 * @param x_BSGD [B, S, G, D] float32
 * @returns [B, capacity, G, D]
 * @throws ShapeError when `length` tokens do not fit in the old or the new capacity
 */
export function kvGrow(x_BSGD: tf.Tensor, length: number, capacity: number): tf.Tensor {
  checkTensor('kvGrow', 'x_BSGD', x_BSGD, [ANY, ANY, ANY, ANY]);
  const most = Math.min(capacity, x_BSGD.shape[1] ?? 0);
  if (!(length >= 0 && length <= most)) throw shapeError('kvGrow', 'length', `${length}`, `0 to ${most}`);
  return runFused('MimicKvGrow', { x: x_BSGD }, { length, capacity }, () =>
    tf.pad(firstTokens(x_BSGD, length), [
      [0, 0],
      [0, capacity - length],
      [0, 0],
      [0, 0],
    ]),
  );
}
