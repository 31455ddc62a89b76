import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { withInt32 } from './int32-input.js';
import { runKernel } from './kernel.js';
import { ANY, checkIndices, checkTensor } from './shape-check.js';

/** Stands for a row of zeros. */
const ABSENT = -1;

defineGradient('MimicGatherRows', { inputs: ['table', 'indices'] }, (dy, _attrs, table, indices) => ({
  table: () => runKernel('MimicScatterAddRows', { dy, indices }, { rows: table.shape[0] ?? 0 }),
}));

function composedGather(table_RC: tf.Tensor, indices: Int32Array): tf.Tensor {
  const rows = tf.gather(
    table_RC,
    tf.tensor1d(
      indices.map((index) => Math.max(index, 0)),
      'int32',
    ),
  );
  if (!indices.includes(ABSENT)) return rows;
  const keep_N1 = tf.tensor2d(
    Float32Array.from(indices, (index) => (index === ABSENT ? 0 : 1)),
    [indices.length, 1],
  );
  return tf.mul(rows, keep_N1);
}

/**
 * Rows of a table by index, as an embedding lookup; the index -1 gives a row of zeros.
 *
 * @param table_RC [R, C] float32
 * @param indices N indices, each -1 or in [0, R); or an int32 tensor [N] of them, which is not checked: for ids that the
 *   device made
 * @returns [N, C]
 * @throws ShapeError for a table that is not a matrix or an index out of range
 */
export function gatherRows(table_RC: tf.Tensor, indices: Int32Array | tf.Tensor): tf.Tensor {
  checkTensor('gatherRows', 'table_RC', table_RC, [ANY, ANY]);
  if (!(indices instanceof Int32Array)) {
    checkTensor('gatherRows', 'indices', indices, [ANY], 'int32');
    return runFused('MimicGatherRows', { table: table_RC, indices }, {}, () =>
      composedGather(table_RC, Int32Array.from(indices.dataSync())),
    );
  }
  checkIndices('gatherRows', 'indices', indices, table_RC.shape[0] ?? 0, ABSENT);
  return withInt32(indices, [indices.length], (indices_N) =>
    runFused('MimicGatherRows', { table: table_RC, indices: indices_N }, {}, () => composedGather(table_RC, indices)),
  );
}
