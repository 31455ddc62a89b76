/** Gradients of kernels that only move or repeat elements. */
import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from '../define-gradient.js';
import { reshape } from '../kernel.js';
import { unbroadcast } from './unbroadcast.js';

const INPUT = { inputs: ['x'] };

defineGradient('Reshape', INPUT, (dy, _attrs, x) => ({ x: () => reshape(dy, x.shape) }));
defineGradient('ExpandDims', { inputs: ['input'] }, (dy, _attrs, input) => ({ input: () => reshape(dy, input.shape) }));

defineGradient('Transpose', {}, (dy, attrs) => ({
  x: () => {
    const perm = attrs['perm'] as number[];
    const inverse = new Array<number>(perm.length);
    perm.forEach((from, to) => {
      inverse[from] = to;
    });
    return tf.transpose(dy, inverse);
  },
}));

// Axis by axis, so that no intermediate has more than three axes.
defineGradient('Tile', INPUT, (dy, attrs, x) => ({
  x: () => {
    const reps = attrs['reps'] as number[];
    let sum = tf.clone(dy);
    reps.forEach((rep, axis) => {
      if (rep === 1) return;
      const outer = tf.util.sizeFromShape(x.shape.slice(0, axis));
      const inner = sum.size / Math.max(1, outer * rep);
      sum = tf.sum(reshape(sum, [outer, rep, inner]), 1);
    });
    return reshape(sum, x.shape);
  },
}));

defineGradient('BroadcastTo', INPUT, (dy, _attrs, x) => ({ x: () => unbroadcast(tf.clone(dy), x.shape) }));

defineGradient('PadV2', INPUT, (dy, attrs, x) => ({
  x: () => {
    const paddings = attrs['paddings'] as [number, number][];
    return tf.slice(
      dy,
      paddings.map(([before]) => before),
      x.shape,
    );
  },
}));
