import * as tf from '@tensorflow/tfjs-core';
import type { FloatStorage } from '../backend/device.js';
import { NativeBackend } from '../backend/native-backend.js';
import { defineGradient } from './define-gradient.js';
import { hasFused, runFused } from './fused.js';

defineGradient('MimicStore', { inputs: [] }, (dy) => ({ x: () => dy.clone() }));

/** How the current backend stores frozen weights and activations: bf16 when a native one was started so. */
export function workStorage(): FloatStorage {
  const backend: unknown = tf.backend();
  return backend instanceof NativeBackend ? backend.workStorage : 'f32';
}

/**
 * The same values stored another way; bf16 rounds to nearest, ties to even. TF.js sees float32 either way.
 *
 * @param x float32
 * @returns a new tensor; on a backend that stores only f32, the same data
 */
export function stored(x: tf.Tensor, storage: FloatStorage): tf.Tensor {
  return hasFused('MimicStore') ? runFused('MimicStore', { x }, { storage }, () => x.clone()) : x.clone();
}
