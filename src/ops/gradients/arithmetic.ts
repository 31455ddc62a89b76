/** Gradients of kernels with two operands, which broadcast against each other. */
import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from '../define-gradient.js';
import { runKernel } from '../kernel.js';
import { unbroadcast } from './unbroadcast.js';

const BOTH = { inputs: ['a', 'b'] };

/** The engine may dispose an operand's gradient once it is summed, so dy is never handed on itself. */
const copy = (x: tf.Tensor) => runKernel('Identity', { x });
const times = (a: tf.Tensor, b: tf.Tensor) => runKernel('Multiply', { a, b });
const where = (mask: tf.Tensor, dy: tf.Tensor) => tf.mul(dy, tf.cast(mask, 'float32'));

defineGradient('Add', BOTH, (dy, _attrs, a, b) => ({
  a: () => unbroadcast(copy(dy), a.shape),
  b: () => unbroadcast(copy(dy), b.shape),
}));

defineGradient('Sub', BOTH, (dy, _attrs, a, b) => ({
  a: () => unbroadcast(copy(dy), a.shape),
  b: () => unbroadcast(tf.neg(dy), b.shape),
}));

defineGradient('Multiply', BOTH, (dy, _attrs, a, b) => ({
  a: () => unbroadcast(times(dy, b), a.shape),
  b: () => unbroadcast(times(dy, a), b.shape),
}));

defineGradient('RealDiv', BOTH, (dy, _attrs, a, b) => ({
  a: () => unbroadcast(tf.div(dy, b), a.shape),
  b: () => unbroadcast(tf.neg(tf.div(tf.mul(dy, a), tf.square(b))), b.shape),
}));

// A tie is credited to the first operand, so that the two gradients always add up to dy.
defineGradient('Maximum', BOTH, (dy, _attrs, a, b) => ({
  a: () => unbroadcast(where(tf.greaterEqual(a, b), dy), a.shape),
  b: () => unbroadcast(where(tf.less(a, b), dy), b.shape),
}));

defineGradient('Minimum', BOTH, (dy, _attrs, a, b) => ({
  a: () => unbroadcast(where(tf.lessEqual(a, b), dy), a.shape),
  b: () => unbroadcast(where(tf.greater(a, b), dy), b.shape),
}));

defineGradient('Pow', { inputs: ['a', 'b'], output: true }, (dy, _attrs, base, exponent, y) => ({
  a: () => unbroadcast(tf.mul(dy, tf.mul(exponent, tf.pow(base, tf.sub(exponent, 1)))), base.shape),
  b: () => {
    // log is undefined for a base of 0 or less; the power does not depend smoothly on the exponent there.
    const positive = tf.greater(base, 0);
    const logBase = tf.where(positive, tf.log(tf.where(positive, base, tf.onesLike(base))), tf.zerosLike(base));
    return unbroadcast(tf.mul(dy, tf.mul(y, logBase)), exponent.shape);
  },
}));
