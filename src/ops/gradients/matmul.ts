import type * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from '../define-gradient.js';
import { matMul } from '../kernel.js';
import { unbroadcast } from './unbroadcast.js';

/**
 * With A' and B' the operands as multiplied: dA' = dy B'^T and dB' = A'^T dy. A transposed operand's gradient is
 * formed transposed at once, by swapping the factors, so no transposition is ever materialised.
 */
function operandGradients(dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean) {
  return {
    a: () => unbroadcast(transposeA ? matMul(b, dy, transposeB, true) : matMul(dy, b, false, !transposeB), a.shape),
    b: () => unbroadcast(transposeB ? matMul(dy, a, true, transposeA) : matMul(a, dy, !transposeA, false), b.shape),
  };
}

defineGradient('BatchMatMul', { inputs: ['a', 'b'] }, (dy, attrs, a, b) =>
  operandGradients(dy, a, b, attrs['transposeA'] === true, attrs['transposeB'] === true),
);
