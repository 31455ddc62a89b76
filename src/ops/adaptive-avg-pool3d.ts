import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { runKernel } from './kernel.js';
import { ANY, checkTensor, shapeError } from './shape-check.js';

defineGradient('MimicAdaptiveAvgPool3d', {}, (dy, { inShape = [] }) => ({
  x: () => runKernel('MimicAdaptiveAvgPool3dGrad', { dy }, { inShape }),
}));

/** [outSize, inSize]: row i averages the bin from floor(i n / o) up to, not including, ceil((i + 1) n / o). */
function binMatrix(inSize: number, outSize: number): tf.Tensor {
  const weights = new Float32Array(outSize * inSize);
  for (let i = 0; i < outSize; i++) {
    const start = Math.floor((i * inSize) / outSize);
    const end = Math.ceil(((i + 1) * inSize) / outSize);
    weights.fill(1 / (end - start), i * inSize + start, i * inSize + end);
  }
  return tf.tensor(weights, [outSize, inSize], 'float32');
}

/**
 * Adaptive average pooling over time, rows and columns with PyTorch's bins.
 *
 * Composed: the bins are boxes, so the mean separates: one small matrix product an axis, time first because it shrinks most.
 *
 * @param x_BTHWC [B, T, H, W, C] float32
 * @param outSize [t, h, w], each at least 1
 * @returns [B, t, h, w, C]
 * @throws ShapeError for another rank, an empty axis or an output size below 1
 * @source torch.nn.AdaptiveAvgPool3d
 */
export function adaptiveAvgPool3d(x_BTHWC: tf.Tensor, outSize: readonly [number, number, number]): tf.Tensor {
  checkTensor('adaptiveAvgPool3d', 'x_BTHWC', x_BTHWC, [ANY, ANY, ANY, ANY, ANY]);
  if (x_BTHWC.size === 0) throw shapeError('adaptiveAvgPool3d', 'x_BTHWC', `[${x_BTHWC.shape}]`, 'no empty axis');
  if (!outSize.every((size) => Number.isInteger(size) && size >= 1)) {
    throw shapeError('adaptiveAvgPool3d', 'outSize', `[${outSize}]`, 'integers from 1');
  }
  const attrs = { outSize: [...outSize], inShape: x_BTHWC.shape };
  return runFused('MimicAdaptiveAvgPool3d', { x: x_BTHWC }, attrs, () => {
    let pooled = x_BTHWC;
    const shape = [...x_BTHWC.shape];
    outSize.forEach((size, i) => {
      const axis = i + 1;
      const inSize = shape[axis] ?? 0;
      if (size === inSize) return;
      const outer = tf.util.sizeFromShape(shape.slice(0, axis));
      const inner = tf.util.sizeFromShape(shape.slice(axis + 1));
      pooled = tf.matMul(binMatrix(inSize, size), tf.reshape(pooled, [outer, inSize, inner]));
      shape[axis] = size;
    });
    return tf.reshape(pooled, shape);
  });
}
