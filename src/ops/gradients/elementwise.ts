/** Gradients of kernels that map each element alone. Those that can use the output save it instead of the input. */
import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from '../define-gradient.js';

const INPUT = { inputs: ['x'] };
const OUTPUT = { output: true };

defineGradient('Identity', {}, (dy) => ({ x: () => tf.clone(dy) }));
defineGradient('Cast', {}, (dy) => ({ x: () => tf.cast(dy, 'float32') }));
defineGradient('Neg', {}, (dy) => ({ x: () => tf.neg(dy) }));

// The derivative at 0 is 0, as in PyTorch.
defineGradient('Abs', INPUT, (dy, _attrs, x) => ({
  x: () => tf.mul(dy, tf.sub(tf.cast(tf.greater(x, 0), 'float32'), tf.cast(tf.less(x, 0), 'float32'))),
}));
defineGradient('Relu', OUTPUT, (dy, _attrs, y) => ({ x: () => tf.mul(dy, tf.cast(tf.greater(y, 0), 'float32')) }));

defineGradient('Exp', OUTPUT, (dy, _attrs, y) => ({ x: () => tf.mul(dy, y) }));
defineGradient('Log', INPUT, (dy, _attrs, x) => ({ x: () => tf.div(dy, x) }));
defineGradient('Sqrt', OUTPUT, (dy, _attrs, y) => ({ x: () => tf.div(dy, tf.mul(y, 2)) }));
defineGradient('Rsqrt', OUTPUT, (dy, _attrs, y) => ({
  x: () => tf.mul(tf.mul(dy, -0.5), tf.mul(y, tf.square(y))),
}));
defineGradient('Square', INPUT, (dy, _attrs, x) => ({ x: () => tf.mul(dy, tf.mul(x, 2)) }));

defineGradient('Sigmoid', OUTPUT, (dy, _attrs, y) => ({ x: () => tf.mul(dy, tf.mul(y, tf.sub(1, y))) }));
defineGradient('Tanh', OUTPUT, (dy, _attrs, y) => ({ x: () => tf.mul(dy, tf.sub(1, tf.square(y))) }));
defineGradient('Erf', INPUT, (dy, _attrs, x) => ({
  x: () => tf.mul(tf.mul(dy, 2 / Math.sqrt(Math.PI)), tf.exp(tf.neg(tf.square(x)))),
}));

defineGradient('Select', { inputs: ['condition'] }, (dy, _attrs, condition) => ({
  condition: () => tf.zeros(condition.shape),
  t: () => tf.where(condition, dy, tf.zerosLike(dy)),
  e: () => tf.where(condition, tf.zerosLike(dy), dy),
}));
