import * as tf from '@tensorflow/tfjs-core';
import { rotaryAngle, rotaryFrequency } from '../base/rotary-angle.js';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { withInt32 } from './int32-input.js';
import { runKernel } from './kernel.js';
import { ANY, checkLength, checkTensor, shapeError } from './shape-check.js';

// A rotation's transpose is its inverse.
defineGradient('MimicRope', { inputs: ['positions'] }, (dy, attrs, positions) => ({
  x: () => runKernel('MimicRope', { x: dy, positions }, { ...attrs, inverse: attrs['inverse'] !== true }),
}));

/** One more than the largest position; 0, which leaves it to the kernel to look and complain, when one is negative. */
export function countOf(positions: Int32Array): number {
  let count = 0;
  for (const position of positions) {
    if (position < 0) return 0;
    if (position >= count) count = position + 1;
  }
  return count;
}

/** cos and sin of position * theta^(-2j/D), each [B, T, 1, D/2]. */
function rotationTables(positions: ArrayLike<number>, [batch, time, half]: [number, number, number], theta: number) {
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  for (let j = 0; j < half; j++) {
    const frequency = rotaryFrequency(theta, j, half);
    for (let i = 0; i < positions.length; i++) {
      const angle = rotaryAngle(positions[i] ?? 0, frequency);
      cos[i * half + j] = Math.cos(angle);
      sin[i * half + j] = Math.sin(angle);
    }
  }
  const shape = [batch, time, 1, half];
  return { cos: tf.tensor(cos, shape, 'float32'), sin: tf.tensor(sin, shape, 'float32') };
}

export interface RopeOptions {
  /** An upper bound of positions given as a tensor: without it they are read, which waits for the device. */
  readonly positionCount?: number | undefined;
}

/**
 * Rotary position embedding, rotate-half convention: channels d and d + D/2 form a pair turned by
 * position * theta^(-2d/D).
 *
 * @param x_BTHD [B, T, H, D] float32, D even
 * @param positions B*T positions; or an int32 tensor [B, T], to upload once what many layers share
 * @param theta base of the frequencies
 * @returns [B, T, H, D]
 * @throws ShapeError for an odd D or another number of positions
 * @source Su et al. 2021, "RoFormer", section 3.2
 */
export function rope(
  x_BTHD: tf.Tensor,
  positions: Int32Array | tf.Tensor,
  theta: number,
  options: RopeOptions = {},
): tf.Tensor {
  checkTensor('rope', 'x_BTHD', x_BTHD, [ANY, ANY, ANY, ANY]);
  const [batch = 0, time = 0, , headDim = 0] = x_BTHD.shape;
  if (headDim % 2 !== 0) throw shapeError('rope', 'D of x_BTHD', `${headDim}`, 'an even number');

  const rotate = (positions_BT: tf.Tensor, positionCount = 0) =>
    runFused('MimicRope', { x: x_BTHD, positions: positions_BT }, { theta, inverse: false, positionCount }, () => {
      const { cos, sin } = rotationTables(positions_BT.dataSync(), [batch, time, headDim / 2], theta);
      const [left, right] = tf.split(x_BTHD, 2, 3) as [tf.Tensor, tf.Tensor];
      const turnedLeft = tf.sub(tf.mul(left, cos), tf.mul(right, sin));
      const turnedRight = tf.add(tf.mul(right, cos), tf.mul(left, sin));
      return tf.concat([turnedLeft, turnedRight], 3);
    });

  if (positions instanceof Int32Array) {
    checkLength('rope', 'positions', positions, batch * time);
    return withInt32(positions, [batch, time], (positions_BT) => rotate(positions_BT, countOf(positions)));
  }
  checkTensor('rope', 'positions', positions, [batch, time], 'int32');
  return rotate(positions, options.positionCount);
}
