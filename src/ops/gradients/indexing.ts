/** Gradients of kernels that pick elements: what was not picked gets 0, what was picked twice gets the sum. */
import * as tf from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import { defineGradient } from '../define-gradient.js';
import { reshape } from '../kernel.js';

defineGradient('Slice', { inputs: ['x'] }, (dy, attrs, x) => ({
  x: () => {
    const [begin = [], size = []] = tf.slice_util.parseSliceParams(
      x,
      attrs['begin'] as number[],
      attrs['size'] as number[],
    );
    const paddings = begin.map((first, axis): [number, number] => {
      const last = first + (size[axis] ?? 0);
      return [first, (x.shape[axis] ?? 0) - last];
    });
    return tf.pad(dy, paddings);
  },
}));

/** Adds the rows of `dy` [N, ...] into zeros [rows, ...] at `indices`. */
function scatterRows(dy: tf.Tensor, indices: tf.Tensor, rows: number): tf.Tensor {
  const shape = [rows, ...dy.shape.slice(1)];
  // TF.js refuses to scatter nothing.
  if (indices.size === 0 || dy.size === 0) return tf.zeros(shape);
  return tf.scatterND(reshape(indices, [indices.size, 1]), dy, shape);
}

// ScatterNd and not UnsortedSegmentSum, which the wasm backend lacks.
defineGradient('GatherV2', { inputs: ['x', 'indices'] }, (dy, attrs, x, indices) => ({
  x: () => {
    if (attrs['batchDims'] !== 0 && attrs['batchDims'] !== undefined) {
      throw new BackendError(
        'E_GRADIENT_UNSUPPORTED',
        `gradient of GatherV2: got batchDims ${attrs['batchDims']}, expected 0`,
      );
    }
    const [axis = 0] = tf.util.parseAxisParam(attrs['axis'] as number, x.shape);
    const rows = x.shape[axis] ?? 0;
    const outerShape = x.shape.slice(0, axis);
    const innerShape = x.shape.slice(axis + 1);
    const outer = tf.util.sizeFromShape(outerShape);
    const inner = tf.util.sizeFromShape(innerShape);
    if (axis === 0) return reshape(scatterRows(reshape(dy, [indices.size, inner]), indices, rows), x.shape);
    const rowsFirst = tf.transpose(reshape(dy, [outer, indices.size, inner]), [1, 0, 2]);
    return reshape(tf.transpose(scatterRows(rowsFirst, indices, rows), [1, 0, 2]), x.shape);
  },
}));
