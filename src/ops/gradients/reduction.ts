/** Gradients of kernels that reduce axes, and of the softmaxes, which normalise one. */
import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from '../define-gradient.js';
import { reshape } from '../kernel.js';

type Axes = number | number[] | null;

/** The axes of a reduction from its attribute, where nothing stands for all. */
function reducedAxes(axis: Axes, shape: number[]): number[] {
  return tf.util.parseAxisParam(axis ?? shape.map((_, i) => i), shape);
}

/** `shape` with the reduced axes of size 1. */
function keptShape(axes: number[], shape: number[]): number[] {
  return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
}

defineGradient('Sum', { inputs: ['x'] }, (dy, attrs, x) => ({
  x: () => {
    const axes = reducedAxes(attrs['axis'] as Axes, x.shape);
    return tf.broadcastTo(reshape(dy, keptShape(axes, x.shape)), x.shape);
  },
}));

defineGradient('Mean', { inputs: ['x'] }, (dy, attrs, x) => ({
  x: () => {
    const kept = keptShape(reducedAxes(attrs['axis'] as Axes, x.shape), x.shape);
    const count = x.size / tf.util.sizeFromShape(kept);
    return tf.broadcastTo(reshape(tf.mul(dy, 1 / count), kept), x.shape);
  },
}));

// Ties share the gradient evenly, as in PyTorch's amax.
defineGradient('Max', { inputs: ['x'], output: true }, (dy, attrs, x, y) => ({
  x: () => {
    const axes = reducedAxes(attrs['reductionIndices'] as Axes, x.shape);
    const kept = keptShape(axes, x.shape);
    const isMax = tf.cast(tf.equal(x, reshape(y, kept)), 'float32');
    return tf.mul(isMax, tf.div(reshape(dy, kept), tf.sum(isMax, axes, true)));
  },
}));

defineGradient('Softmax', { output: true }, (dy, attrs, y) => ({
  logits: () => {
    const weighted = tf.mul(dy, y);
    return tf.sub(weighted, tf.mul(tf.sum(weighted, attrs['dim'] as number, true), y));
  },
}));

defineGradient('LogSoftmax', { output: true }, (dy, attrs, y) => ({
  logits: () => tf.sub(dy, tf.mul(tf.sum(dy, attrs['axis'] as number, true), tf.exp(y))),
}));
