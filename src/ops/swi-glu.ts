import * as tf from '@tensorflow/tfjs-core';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { runMultiKernel } from './kernel.js';
import { channelsOf, checkTensor } from './shape-check.js';

defineGradient('MimicSwiGlu', { inputs: ['gate', 'up'] }, (dy, _attrs, gate, up) => {
  // Gate and up come from one activation, so both are on the path whenever either is.
  const [dGate, dUp] = runMultiKernel('MimicSwiGluGrad', { dy, gate, up });
  if (dGate === undefined || dUp === undefined) throw new RangeError('MimicSwiGluGrad: expected two outputs');
  return { gate: () => dGate, up: () => dUp };
});

/**
 * The gated unit silu(gate) * up, with silu(z) = z * sigmoid(z).
 *
 * @param gate [..., C] float32
 * @param up the same shape
 * @returns the same shape
 * @throws ShapeError when the shapes differ
 * @source Shazeer 2020, "GLU variants improve transformer"
 */
export function swiGlu(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  channelsOf('swiGlu', 'gate', gate);
  checkTensor('swiGlu', 'up', up, gate.shape);
  return runFused('MimicSwiGlu', { gate, up }, {}, () => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up));
}
