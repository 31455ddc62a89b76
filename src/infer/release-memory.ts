import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../backend/native-backend.js';

/** Between two stages whose buffers differ in size: returns what the device keeps for reuse, where that is cheap. */
export function releaseKeptMemory(): void {
  const backend: unknown = tf.backend();
  if (backend instanceof NativeBackend) backend.device.trim?.();
}
