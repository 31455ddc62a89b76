/**
 * Zero gradients of kernels that are flat wherever they are differentiable, so that a mask made from an activation does
 * not stop the backward pass.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from '../define-gradient.js';

const flat = (input: tf.Tensor) => () => tf.zeros(input.shape);

for (const kernel of ['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'LogicalAnd']) {
  defineGradient(kernel, { inputs: ['a', 'b'] }, (_dy, _attrs, a, b) => ({ a: flat(a), b: flat(b) }));
}

for (const kernel of ['LogicalNot', 'ZerosLike', 'OnesLike']) {
  defineGradient(kernel, {}, (dy) => ({ x: flat(dy) }));
}
