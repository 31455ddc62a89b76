import * as tf from '@tensorflow/tfjs-core';
import { runFused } from './fused.js';
import { withInt32 } from './int32-input.js';
import { runKernel } from './kernel.js';
import { countOf, rope } from './rope.js';
import { ANY, checkLength, checkTensor, shapeError } from './shape-check.js';

export interface SplitRopeOptions {
  /** Query heads H, a multiple of `groups`. */
  readonly heads: number;
  /** Key and value heads G. */
  readonly groups: number;
  /** Base of the rotation's frequencies. */
  readonly theta: number;
  /** An upper bound of positions given as a tensor: without it they are read, which waits for the device. */
  readonly positionCount?: number | undefined;
}

tf.registerGradient({
  kernelName: 'MimicSplitRope',
  inputsToSave: ['positions'],
  gradFunc: (dys, [positions], attrs) => {
    const [dq, dk, dv] = Array.isArray(dys) ? dys : [];
    if (!dq || !dk || !dv || !positions) {
      throw new TypeError('gradient of MimicSplitRope: expected three dys and the saved positions');
    }
    return { x: () => runKernel('MimicSplitRopeGrad', { dq, dk, dv, positions }, attrs) };
  },
});

/**
 * Parts the fused projection of an attention layer into queries, keys and values, with rotary embedding of the first two.
 *
 * A group's channels are its H / G query heads, one key head, one value head.
 *
 * @param x_BTF [B, T, (H + 2 G) D] float32, D even
 * @param positions B*T positions, or an int32 tensor [B, T]
 * @returns q [B, T, H, D], k and v [B, T, G, D]
 * @throws ShapeError when F is no multiple of H + 2 G, H none of G, D is odd or the positions are of another number
 */
export function splitRope(
  x_BTF: tf.Tensor,
  positions: Int32Array | tf.Tensor,
  options: SplitRopeOptions,
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const { heads, groups, theta, positionCount = 0 } = options;
  checkTensor('splitRope', 'x_BTF', x_BTF, [ANY, ANY, ANY]);
  const [batch = 0, time = 0, width = 0] = x_BTF.shape;
  const headDim = width / (heads + 2 * groups);
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw shapeError('splitRope', 'F of x_BTF', `${width}`, `a multiple of ${2 * (heads + 2 * groups)}`);
  }
  const perGroup = heads / groups;
  if (!Number.isInteger(perGroup)) throw shapeError('splitRope', 'H', `${heads}`, `a multiple of ${groups} groups`);

  const run = (positions_BT: tf.Tensor, count: number) => {
    const attrs = { groups, perGroup, theta, positionCount: count };
    return runFused<tf.Tensor[]>('MimicSplitRope', { x: x_BTF, positions: positions_BT }, attrs, () => {
      const grouped = tf.reshape(x_BTF, [batch, time, groups, perGroup + 2, headDim]);
      const [q, k, v] = tf.split(grouped, [perGroup, 1, 1], 3) as [tf.Tensor, tf.Tensor, tf.Tensor];
      return [
        rope(tf.reshape(q, [batch, time, heads, headDim]), positions, theta),
        rope(tf.reshape(k, [batch, time, groups, headDim]), positions, theta),
        tf.reshape(v, [batch, time, groups, headDim]),
      ];
    }) as [tf.Tensor, tf.Tensor, tf.Tensor];
  };
  if (positions instanceof Int32Array) {
    checkLength('splitRope', 'positions', positions, batch * time);
    return withInt32(positions, [batch, time], (positions_BT) => run(positions_BT, countOf(positions)));
  }
  checkTensor('splitRope', 'positions', positions, [batch, time], 'int32');
  return run(positions, positionCount);
}
